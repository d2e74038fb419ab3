--- How often predictions equal targets exactly.
-- @classmod cusp.metrics.Accuracy
local define = require "cusp.metrics.define"
local engine = require "cusp.engine"
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"

return define{
  class = "Accuracy", name = "accuracy",
  call = function(y_true, y_pred)
    y_true, y_pred = losses.same_rank(ops.cast(y_true, y_pred.dtype), y_pred)
    return ops.cast(ops.equal(y_true, y_pred), engine.get_floatx())
  end,
}
