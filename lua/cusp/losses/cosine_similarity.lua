--- Negative cosine similarity of targets and predictions: -1 for the same direction, 0 if they are
-- orthogonal.
-- @classmod cusp.losses.CosineSimilarity
-- @tparam[opt=-1] integer axis of the vectors
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

-- Scales vectors to length 1; vectors near zero stay unchanged.
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
