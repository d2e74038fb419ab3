--- Mean over the last axis of `100 |y_true - y_pred| / |y_true|`.
-- @classmod cusp.losses.MeanAbsolutePercentageError
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "MeanAbsolutePercentageError", name = "mean_absolute_percentage_error",
  call = function(y_true, y_pred)
    local relative = ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon()))
    return ops.mean(relative, -1) * 100
  end,
}
