--- The base of metrics: values that are updated batch by batch. Your own class creates its state
-- with `add_variable` and defines `update_state(self, y_true, y_pred, sample_weight)` and
-- `result(self)`. The state consists of variables, so updates work in a compiled training step.
-- @classmod cusp.metrics.Metric
-- @tparam[opt] string name
-- @tparam[opt] string dtype
-- @usage local Largest = metrics.Metric:extend "Largest"
--   function Largest:init(args)
--     metrics.Metric.init(self, args)
--     self.value = self:add_variable{shape = {}, name = "value"}
--   end
--   function Largest:update_state(_, y_pred)
--     self.value:assign(cusp.ops.maximum(self.value, y_pred:max()))
--   end
--   function Largest:result() return self.value.value end
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local names = require "cusp.base.names"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local replicas = require "cusp.base.replicas"
local stateless = require "cusp.base.stateless"

local Metric = Object:extend("Metric", {
  positional_order = "dtype name", begins_with_text = true,
  __module = "keras.metrics",
  config = {
    {"name", "string", optional = true},
    {"dtype", "dtype", optional = true},
  },
})

--- The default dtype of a metric; nil for `floatx`.
Metric.default_dtype = nil

function Metric:init(args)
  args = arguments.wrap(Metric, args)
  for _, parameter in ipairs(Metric.config) do
    local value = arguments.read(args, parameter, self.__name)
    if rawget(self, parameter[1]) == nil then self[parameter[1]] = value end
  end
  self.name = self.name or names.unique(names.snake_case(self.__name))
  self.dtype = self.dtype or self.default_dtype or engine.get_floatx()
  self.__own.variables = {}
  replicas.watch(getmetatable(self), Metric)
end

function Metric:get_config()
  return ordered.object({name = self.name, dtype = self.dtype}, {"name", "dtype"})
end

local bind_add_variable = arguments.binder("add_variable", {
  {"shape", "shape", default = {}}, {"initializer", "any", optional = true},
  {"dtype", "dtype", optional = true},
  {"aggregation", "string", optional = true}, {"name", "string", optional = true},
})

--- Creates a state variable, zeros by default.
-- @tparam[opt] table shape scalar by default
-- @tparam[opt] initializer initializer
-- @tparam[opt] string dtype by default that of the metric
-- @tparam[opt] string name
-- @treturn Variable
function Metric:add_variable(...)
  local shape, initializer, dtype, _, name = bind_add_variable(...)
  if not self.__own.variables then
    errors.raise("%s: call Metric.init(self, args) first in init", self.__name)
  end
  dtype = dtype or self.dtype
  -- The initial value must not belong to a trace: a metric may be created during one.
  local variable = engine.untraced(function()
    local value
    if initializer and initializer ~= "zeros" then
      value = require("cusp.initializers").get(initializer)(shape, {dtype = dtype})
    else
      value = ops.zeros(shape, {dtype = dtype})
    end
    return engine.variable(value, {dtype = dtype, trainable = false})
  end)
  variable.name = name or "variable"
  variable.path = self.name .. "/" .. variable.name
  table.insert(self.__own.variables, variable)
  return variable
end

Metric.add_weight = Metric.add_variable

--- The state variables, including those of inner metrics.
function Metric.__getters:variables()
  local result = table.move(self.__own.variables, 1, #self.__own.variables, 1, {})
  for _, key in ipairs(self.__order) do
    local value = rawget(self, key)
    if Object.is_instance(value, Metric) then
      local inner = value.variables
      table.move(inner, 1, #inner, #result + 1, result)
    end
  end
  return result
end

--- Resets the state.
function Metric:reset_state()
  for _, variable in ipairs(self.variables) do
    variable:assign(ops.zeros(variable.shape, {dtype = variable.dtype}))
  end
end

function Metric:update_state()
  errors.raise("%s: a metric needs update_state(self, y_true, y_pred, sample_weight)", self.__name)
end

--- The current value.
-- @treturn tensor
function Metric:result()
  errors.raise("%s: a metric needs result(self)", self.__name)
end

local function state_of(metric, method, values)
  local variables = metric.variables
  return variables, stateless.tensors(("%s.%s"):format(metric.__name, method), variables, values)
end

--- The state after an update, without changing it.
-- @tparam table metric_variables a tensor for each of `variables`
-- @param ... what `update_state` takes
-- @treturn {tensor,...} what the variables would hold
function Metric:stateless_update_state(metric_variables, ...)
  local variables, values = state_of(self, "stateless_update_state", metric_variables)
  return (stateless.run(variables, values, self.update_state, self, ...))
end

--- The value for a state, without changing it.
-- @tparam table metric_variables a tensor for each of `variables`
-- @treturn tensor
function Metric:stateless_result(metric_variables)
  local variables, values = state_of(self, "stateless_result", metric_variables)
  return (select(2, stateless.run(variables, values, self.result, self)))
end

--- The state at the beginning, without changing it.
-- @treturn {tensor,...}
function Metric:stateless_reset_state()
  return (stateless.run(self.variables, nil, self.reset_state, self))
end

--- Updates the state and returns the result.
function Metric:__call(...)
  self:update_state(...)
  return self:result()
end

return Metric
