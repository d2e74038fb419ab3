--- `(1 - p^q) / q` for the probability `p` of the true class: between cross-entropy and absolute
-- error, robust to wrong labels (Zhang and Sabuncu 2018). Targets are class ids.
-- @classmod cusp.losses.CategoricalGeneralizedCrossEntropy
-- @tparam[opt=0.5] number q between 0 and 1
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "CategoricalGeneralizedCrossEntropy", name = "categorical_generalized_cross_entropy",
  sparse = true,
  parameters = {{"q", "number", above = 0, below = 1, default = 0.5}},
  call = function(y_true, y_pred, q)
    local one_hot = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[y_pred.ndim])
    local right = ops.sum(y_pred * ops.cast(one_hot, y_pred.dtype), -1)
    return (1 - ops.power(right, q)) / q
  end,
}
