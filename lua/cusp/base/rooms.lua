--- Access to rooms of the library by name, for code below them.
--
-- A file requires only what its room may depend on. Code that needs a room above it, such as a
-- class name in a configuration, asks for it here. `lua/cusp/init.lua` registers the rooms.
-- @module cusp.base.rooms
local rooms = {}

local loaders = {} -- name → function that gives the room

-- The module at the top of the library, under the name that this one was loaded by.
local top = (...):match "^[^.]+"

--- Registers the loader of a room.
-- @tparam string name
-- @tparam function loader
function rooms.provide(name, loader) loaders[name] = loader end

--- The room of that name, loaded on first use.
-- @tparam string name "initializers", "saving.methods"
-- @return the module; nil if there is none of that name
function rooms.get(name)
  -- A program that loads a single room has not loaded the top yet.
  if not loaders[name] then require(top) end
  local loader = loaders[name]
  return loader and loader()
end

return rooms
