--- How often the largest prediction is at the largest target; targets are one-hot.
-- @classmod cusp.metrics.CategoricalAccuracy
local define = require "cusp.metrics.define"
local engine = require "cusp.engine"
local ops = require "cusp.ops"

return define{
  class = "CategoricalAccuracy", name = "categorical_accuracy",
  call = function(y_true, y_pred)
    local wanted, got = ops.argmax(y_true, -1), ops.argmax(y_pred, -1)
    return ops.cast(ops.equal(wanted, got), engine.get_floatx())
  end,
}
