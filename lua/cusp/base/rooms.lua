--- Rooms of the library by name, for what lies below them.
--
-- Doors open downwards: a file requires only what its room may depend on. What needs a room above
-- it, as a name in a configuration does, asks for it here; `lua/cusp/init.lua` provides them.
-- @module cusp.base.rooms
local rooms = {}

local loaders = {} -- name → function that gives the room

-- The module at the top of the library, by the name that this one was loaded under.
local top = (...):match "^[^.]+"

--- Tells how a room is loaded.
-- @tparam string name
-- @tparam function loader
function rooms.provide(name, loader) loaders[name] = loader end

--- The room of a name, loaded when it is first asked for.
-- @tparam string name "initializers", "saving.methods"
-- @return the module; nil where nothing has that name
function rooms.get(name)
  -- A program that loads one room by itself has not loaded the top yet.
  if not loaders[name] then require(top) end
  local loader = loaders[name]
  return loader and loader()
end

return rooms
