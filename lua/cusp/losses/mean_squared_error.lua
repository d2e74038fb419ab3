--- Mean over the last axis of `(y_true - y_pred)^2`.
-- @classmod cusp.losses.MeanSquaredError
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "MeanSquaredError", name = "mean_squared_error",
  call = function(y_true, y_pred) return ops.mean(ops.square(y_true - y_pred), -1) end,
}
