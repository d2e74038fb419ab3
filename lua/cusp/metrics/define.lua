--- Defines metrics that are the mean of a function of `(y_true, y_pred, ...)`.
-- @module cusp.metrics.define
local MeanMetricWrapper = require "cusp.metrics.mean_metric_wrapper"
local arguments = require "cusp.base.arguments"
local reduction = require "cusp.metrics.reduction"
local registry = require "cusp.base.registry"

local function full_config(definition)
  local by_name = {name = {"name", "string", default = definition.name},
    dtype = {"dtype", "dtype", optional = true}}
  for _, parameter in ipairs(definition.parameters or {}) do by_name[parameter[1]] = parameter end
  local config = {}
  if definition.order then
    for i, name in ipairs(definition.order) do config[i] = by_name[name] end
    return config
  end
  config[1], config[2] = by_name.name, by_name.dtype
  for _, parameter in ipairs(definition.parameters or {}) do config[#config + 1] = parameter end
  return config
end

--- Makes the class; with `call`, `class.fn` is the public function.
-- @tparam table definition
--   `class`, `name`: class and default name of an instance;
--   `function_name`: the name of the function, if different;
--   `parameters`: the arguments after y_true and y_pred;
--   `order`: names of the class's arguments, unless name and dtype come first;
--   `call`: function of y_true, y_pred and the parameters; or
--   `loss`: the class of a loss whose function to use
-- @treturn table the class
local function define(definition)
  local parameters = definition.parameters or {}
  local f = definition.call or definition.loss.fn
  local class = MeanMetricWrapper:extend(definition.class, {
    config = full_config(definition),
    measure = function(self, y_true, y_pred)
      local values = {}
      for i, parameter in ipairs(parameters) do values[i] = self[parameter[1]] end
      return f(y_true, y_pred, table.unpack(values, 1, #parameters))
    end,
  })
  class.function_name = definition.function_name or definition.name
  if definition.loss then
    class.fn = definition.loss.fn
    return class
  end
  local bind = arguments.binder(class.function_name,
    {{"y_true", "tensor"}, {"y_pred", "tensor"}, table.unpack(parameters)})
  class.fn = function(...)
    local bound = table.pack(bind(...))
    return f(reduction.to_tensor(bound[1]), reduction.to_tensor(bound[2]),
      table.unpack(bound, 3, 2 + #parameters))
  end
  registry.name_function(class.fn, class.function_name)
  return class
end

return define
