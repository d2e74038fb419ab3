--- The square root of the mean squared error.
-- @classmod cusp.metrics.RootMeanSquaredError
local Mean = require "cusp.metrics.mean"
local arguments = require "cusp.base.arguments"
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"
local reduction = require "cusp.metrics.reduction"

local RootMeanSquaredError = Mean:extend("RootMeanSquaredError", {
  config = {{"name", "string", default = "root_mean_squared_error"},
    {"dtype", "dtype", optional = true}},
})

local bind = arguments.binder("update_state", {
  {"y_true", "tensor"}, {"y_pred", "tensor"}, {"sample_weight", "tensor", optional = true},
})

--- Adds a batch.
function RootMeanSquaredError:update_state(...)
  local y_true, y_pred, weight = bind(...)
  y_true, y_pred = losses.same_rank(reduction.to_tensor(y_true, self.dtype),
    reduction.to_tensor(y_pred, self.dtype))
  return Mean.update_state(self, ops.square(y_pred - y_true), weight)
end

function RootMeanSquaredError:result() return ops.sqrt(Mean.result(self)) end

return RootMeanSquaredError
