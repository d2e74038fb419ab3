--- How often the largest prediction is that of the target class id.
-- @classmod cusp.metrics.SparseCategoricalAccuracy
local define = require "cusp.metrics.define"
local engine = require "cusp.engine"
local ops = require "cusp.ops"

return define{
  class = "SparseCategoricalAccuracy", name = "sparse_categorical_accuracy",
  call = function(y_true, y_pred)
    local column = y_true.ndim == y_pred.ndim and y_true.shape[y_true.ndim] == 1
    if column then y_true = ops.squeeze(y_true, -1) end
    local got = ops.argmax(y_pred, -1)
    local matches = ops.cast(ops.equal(y_true, ops.cast(got, y_true.dtype)), engine.get_floatx())
    if not column and matches.ndim > 1 and matches.shape[matches.ndim] == 1 then
      matches = ops.squeeze(matches, -1)
    end
    return matches
  end,
}
