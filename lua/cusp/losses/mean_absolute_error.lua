--- Mean over the last axis of `|y_true - y_pred|`.
-- @classmod cusp.losses.MeanAbsoluteError
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "MeanAbsoluteError", name = "mean_absolute_error",
  call = function(y_true, y_pred) return ops.mean(ops.abs(y_true - y_pred), -1) end,
}
