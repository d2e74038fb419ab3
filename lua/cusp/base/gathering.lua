--- Whole values of variables of which processes have parts: what files hold, which rank 0 writes
--
-- While it writes, it asks for one variable after another; the other processes give their parts.
-- @module cusp.base.gathering
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local sharding = require "cusp.base.sharding"

local gathering = {}

-- `say`: what tells all others a text, while they wait for what this process asks.
local state = {}

--- The whole of a variable, of which all processes have to ask at the same place.
-- @tparam Variable variable
-- @treturn tensor
function gathering.whole(variable)
  local known = variable.sharding
  if not known then return variable.value end
  if state.say then state.say(("part %d"):format(known.number)) end
  return engine.untraced(sharding.undivided, variable)
end

-- Until rank 0 has done all that it does for this process, too.
local function serve(owner, gather)
  while true do
    local word, rest = gather("")[1]:match "^(%a+) ?(.*)$"
    if word == "done" then return end
    if word == "failed" then errors.raise("%s: rank 0 failed: %s", owner, rest) end
    local variable = word == "part" and sharding.of_number(tonumber(rest))
    if not variable then
      errors.raise("%s: this process has not the variables that rank 0 has; every process should"
        .. " run the same program", owner)
    end
    local whole <close> = sharding.undivided(variable) -- luacheck: ignore
  end
end

--- Has rank 0 write something that needs whole variables, one after another; the others help.
-- @tparam string owner for messages
-- @tparam {Variable,...} variables those that it is about
-- @tparam function f
-- @return its results, in rank 0
function gathering.by_first(owner, variables, f, ...)
  local one = not state.say and sharding.find(variables)
  if not one then return f(...) end
  local rank, gather = one.sharding.rank, one.sharding.gather
  if rank > 0 then return engine.untraced(serve, owner, gather) end
  local results = table.pack(engine.with_fields({state, "say", gather}, engine.attempt, f, ...))
  gather(results[1] and "done" or "failed " .. tostring(results[2]))
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local Kept = {}

--- A variable as a file that rank 0 writes keeps it (`by_first`): what stands for the whole, which
-- is gathered when it is written; where this process writes alone, the variable.
-- @param value a variable; any other value is left as it is
-- @return what `read` takes, with `dtype` and `shape`
function gathering.kept(value)
  local known = state.say and engine.is_variable(value) and value.sharding
  if not known then return value end
  return setmetatable({dtype = value.dtype, shape = known.shape, variable = value}, Kept)
end

--- Whether a value is what `kept` gave for a variable that is divided.
function gathering.is_kept(value) return getmetatable(value) == Kept end

--- The whole that `kept` stands for; any other value is left as it is.
function gathering.read(value)
  return gathering.is_kept(value) and gathering.whole(value.variable) or value
end

--- Calls a function with what `read` gives; a whole is released afterwards.
-- @param value
-- @tparam function f
function gathering.with(value, f)
  if not gathering.is_kept(value) then return f(value) end
  local whole <close> = gathering.whole(value.variable)
  f(whole)
end

return gathering
