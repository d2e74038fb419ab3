--- `max(neg - pos + 1, 0)`, where `pos` is the score of the true class and `neg` the best of the
-- others. Targets are one-hot.
-- @classmod cusp.losses.CategoricalHinge
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "CategoricalHinge", name = "categorical_hinge",
  call = function(y_true, y_pred)
    local right = ops.sum(y_true * y_pred, -1)
    local others = ops.max((1 - y_true) * y_pred, -1)
    return ops.maximum(others - right + 1, 0)
  end,
}
