--- The updates of a loop of one's own, compiled.
-- @module cusp.optimizers.compiled_update
local captures = require "cusp.captures"
local engine = require "cusp.engine"

-- What the plan of an update depends on besides variables and what it captures: which gradients
-- there are.
local function plan_key(self, gradients, variables)
  local parts = {}
  for i, variable in ipairs(variables) do
    parts[i] = self.__own.index[variable]
      .. (gradients[i].dtype == variable.dtype and "" or gradients[i].dtype)
  end
  return table.concat(parts, ",")
end

local function trace_update(trace, self, gradients, variables)
  local placeholders = {}
  for i, gradient in ipairs(gradients) do
    placeholders[i] = trace:placeholder(gradient.shape, gradient.dtype)
  end
  self:apply_gradients_now(placeholders, variables)
  return trace:compile{}
end

--- Runs an optimizer's update from a plan, which is traced first where there is none.
-- @tparam Optimizer self
-- @tparam {tensor,...} gradients
-- @tparam {Variable,...} variables
return function(self, gradients, variables)
  local compiled = self.__own.compiled
  if not compiled then
    compiled = {plans = {}, captured = captures.new(self.__name .. ".apply", {root = self})}
    self.__own.compiled = compiled
  end
  local plans = compiled.plans
  local key = compiled.captured:state() .. ";" .. plan_key(self, gradients, variables)
  plans[key] = plans[key]
    or compiled.captured:trace(engine.traced, trace_update, self, gradients, variables)
  plans[key](table.unpack(gradients))
end
