--- Minus the cosine of the angle between targets and predictions: -1 where they point the same way, 0 where they are orthogonal.
-- @classmod cusp.losses.CosineSimilarity
-- @tparam[opt=-1] integer axis along which the vectors lie
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define {
  class = "CosineSimilarity", name = "cosine_similarity",
  parameters = { { "axis", "axis", default = -1 } },
  call = function(y_true, y_pred, axis)
    return -ops.sum(ops.normalize(y_true, axis) * ops.normalize(y_pred, axis), axis)
  end,
}
