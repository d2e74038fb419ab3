--- Minus the cosine of the angle between targets and predictions: -1 where they point the same way,
-- 0 where they are orthogonal.
-- @classmod cusp.losses.CosineSimilarity
-- @tparam[opt=-1] integer axis along which the vectors lie
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

-- Vectors of length 1; those that are almost nothing stay so.
local function unit(x, axis)
  return x * ops.minimum(ops.rsqrt(ops.sum(ops.square(x), axis, true)), 1 / config.epsilon())
end

return define{
  class = "CosineSimilarity", name = "cosine_similarity",
  parameters = {{"axis", "axis", default = -1, omit_default = true}},
  call = function(y_true, y_pred, axis)
    return -ops.sum(unit(y_true, axis) * unit(y_pred, axis), axis)
  end,
}
