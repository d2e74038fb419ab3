--- Calls without side effects: variables hold other values meanwhile, and what they would have held
-- afterwards is returned.
-- @module cusp.base.stateless
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"

local stateless = {}

local function same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

--- Tensors for variables, one for each.
-- @tparam string owner such as "Dense.stateless_call: the trainable variables", for messages
-- @tparam {Variable,...} variables
-- @param values
-- @treturn {tensor,...}
function stateless.tensors(owner, variables, values)
  if not lists.is_container(values) or #values ~= #variables then
    errors.raise("%s: expected a list of %d tensors, got %s", owner, #variables,
      lists.is_container(values) and #values or errors.describe(values))
  end
  local tensors = {}
  for i, variable in ipairs(variables) do
    local value = values[i]
    if engine.is_variable(value) then value = value.value end
    if type(value) ~= "userdata" then value = engine.tensor(value, {dtype = variable.dtype}) end
    if not same_shape(value.shape, variable.shape) then
      errors.raise("%s: item %d should have shape %s, got %s", owner, i,
        errors.shape(variable.shape), errors.shape(value.shape))
    end
    tensors[i] = value
  end
  return tensors
end

-- Within a trace the values are not there yet, and each assignment becomes part of it.
local function assign(variables, values)
  if not engine.tracing() then return engine.assign_all(variables, values) end
  for i, variable in ipairs(variables) do variable:assign(values[i]) end
end

--- Calls a function while variables hold other values; they get their own back, also after
-- an error.
-- @tparam {Variable,...} variables
-- @tparam ?{tensor,...} values nil for their own
-- @tparam function f
-- @param ... its arguments
-- @treturn {tensor,...} what the variables held after the call
-- @return the results of the function
function stateless.run(variables, values, f, ...)
  local before = lists.pick(variables, "value")
  if values then assign(variables, values) end
  local results = table.pack(engine.attempt(f, ...))
  local after = results[1] and lists.pick(variables, "value")
  assign(variables, before)
  if not results[1] then error(results[2], 0) end
  return after, table.unpack(results, 2, results.n)
end

return stateless
