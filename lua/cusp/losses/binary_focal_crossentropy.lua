--- Binary cross-entropy that down-weights easy examples by `(1 - p)^gamma` (Lin et al. 2018).
-- @classmod cusp.losses.BinaryFocalCrossentropy
-- @tparam[opt=false] boolean apply_class_balancing whether to weight class 1 by `alpha` and class 0
-- by `1 - alpha`
-- @tparam[opt=0.25] number alpha
-- @tparam[opt=2] number gamma
-- @tparam[opt=false] boolean from_logits
-- @tparam[opt=0] number label_smoothing
-- @tparam[opt=-1] integer axis
local define = require "cusp.losses.define"
local ops = require "cusp.ops"
local smoothing = require "cusp.losses.smoothing"

return define{
  class = "BinaryFocalCrossentropy", name = "binary_focal_crossentropy",
  parameters = {
    {"apply_class_balancing", "boolean", default = false}, {"alpha", "number", default = 0.25},
    {"gamma", "number", default = 2.0}, {"from_logits", "boolean", default = false},
    smoothing.parameter,
    {"axis", "axis", default = -1},
  },
  call = function(y_true, y_pred, apply_class_balancing, alpha, gamma, from_logits, label_smoothing,
    axis)
    y_true = smoothing.binary(y_true, label_smoothing)
    if from_logits then y_pred = ops.sigmoid(y_pred) end
    local right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    local loss = ops.power(1 - right, gamma) * ops.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing then loss = loss * (y_true * alpha + (1 - y_true) * (1 - alpha)) end
    return ops.mean(loss, axis)
  end,
}
