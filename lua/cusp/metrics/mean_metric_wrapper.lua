--- The mean of a function of `(y_true, y_pred)`.
-- @classmod cusp.metrics.MeanMetricWrapper
-- @tparam function fn returns one value per sample
-- @tparam[opt] string name
-- @tparam[opt] string dtype
-- @tparam[opt] table ... further named arguments are passed to `fn` in a table at the end
local Mean = require "cusp.metrics.mean"
local arguments = require "cusp.base.arguments"
local methods = require "cusp.base.methods"
local losses = require "cusp.losses.reduction"
local masks = require "cusp.base.masks"
local ordered = require "cusp.base.ordered"
local reduction = require "cusp.metrics.reduction"
local registry = require "cusp.base.registry"

local MeanMetricWrapper = Mean:extend("MeanMetricWrapper", {
  config = {
    {"fn", "function"}, {"name", "string", optional = true}, {"dtype", "dtype", optional = true},
  },
})

function MeanMetricWrapper:init(args)
  if self.config == MeanMetricWrapper.config then
    self:configure(args, MeanMetricWrapper)
    local known = {fn = true, name = true, dtype = true}
    local extra = {}
    for key, value in pairs(args) do
      if type(key) == "string" and not known[key] then extra[key] = value end
    end
    self.fn_arguments = next(extra) and extra or nil
  end
  Mean.init(self, args)
end

--- Classes derived from a function do not serialise it; this one writes its name.
function MeanMetricWrapper:get_config()
  local config = Mean.get_config(self)
  if self.config ~= MeanMetricWrapper.config then return config end
  ordered.set(config, "fn", registry.serialize(self.fn))
  for key, value in pairs(self.fn_arguments or {}) do config[key] = registry.serialize(value) end
  return config
end

--- The value of each sample.
function MeanMetricWrapper:measure(y_true, y_pred)
  if self.fn_arguments then return self.fn(y_true, y_pred, self.fn_arguments) end
  return self.fn(y_true, y_pred)
end

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
-- @param y_true targets
-- @param y_pred predictions; their mask, if any, is applied
-- @param[opt] sample_weight
function MeanMetricWrapper:update_state(...)
  local y_true, y_pred, weight = bind(...)
  local mask = masks.get(y_pred)
  local values = self:measure(reduction.to_tensor(y_true), reduction.to_tensor(y_pred))
  values = reduction.to_tensor(methods.returned(self.name .. ": the metric function", values))
  if weight ~= nil then weight = reduction.to_tensor(weight, self.dtype) end
  return Mean.update_state(self, values, losses.apply_mask(weight, mask, self.dtype, "sum"))
end

return MeanMetricWrapper
