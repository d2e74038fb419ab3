--- Categorical cross-entropy that down-weights easy examples by `alpha * (1 - p)^gamma` (Lin et al.
-- 2018).
-- @classmod cusp.losses.CategoricalFocalCrossentropy
-- @tparam[opt=0.25] number alpha
-- @tparam[opt=2] number gamma
-- @tparam[opt=false] boolean from_logits
-- @tparam[opt=0] number label_smoothing
-- @tparam[opt=-1] integer axis
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"
local smoothing = require "cusp.losses.smoothing"

return define{
  class = "CategoricalFocalCrossentropy", name = "categorical_focal_crossentropy",
  parameters = {
    {"alpha", "number", default = 0.25}, {"gamma", "number", default = 2.0},
    {"from_logits", "boolean", default = false},
    smoothing.parameter, {"axis", "axis", default = -1},
  },
  call = function(y_true, y_pred, alpha, gamma, from_logits, label_smoothing, axis)
    y_true = smoothing.categorical(y_true, label_smoothing)
    if from_logits then y_pred = ops.softmax(y_pred, axis) end
    local output = y_pred / ops.sum(y_pred, axis, true)
    output = ops.clip(output, config.epsilon(), 1 - config.epsilon())
    return ops.sum(ops.power(1 - output, gamma) * alpha * (-y_true * ops.log(output)), axis)
  end,
}
