--- Cross-entropy between targets of 0 and 1 and probabilities (or logits), mean over an axis.
-- @classmod cusp.losses.BinaryCrossentropy
-- @tparam[opt=false] boolean from_logits whether predictions are before the sigmoid
-- @tparam[opt=0] number label_smoothing
-- @tparam[opt=-1] integer axis the mean is over
local define = require "cusp.losses.define"
local ops = require "cusp.ops"
local smoothing = require "cusp.losses.smoothing"

return define{
  class = "BinaryCrossentropy", name = "binary_crossentropy",
  parameters = {{"from_logits", "boolean", default = false}, smoothing.parameter,
    {"axis", "axis", default = -1}},
  call = function(y_true, y_pred, from_logits, label_smoothing, axis)
    y_true = smoothing.binary(y_true, label_smoothing)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits), axis)
  end,
}
