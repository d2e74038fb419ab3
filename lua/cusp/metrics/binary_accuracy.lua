--- How often predictions above a threshold agree with targets of 0 and 1.
-- @classmod cusp.metrics.BinaryAccuracy
-- @tparam[opt=0.5] number threshold
local define = require "cusp.metrics.define"
local engine = require "cusp.engine"
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"

return define{
  class = "BinaryAccuracy", name = "binary_accuracy",
  parameters = {{"threshold", "number", default = 0.5}},
  call = function(y_true, y_pred, threshold)
    y_true, y_pred = losses.same_rank(y_true, y_pred)
    local decided = ops.cast(ops.greater(y_pred, threshold), y_true.dtype)
    return ops.cast(ops.equal(y_true, decided), engine.get_floatx())
  end,
}
