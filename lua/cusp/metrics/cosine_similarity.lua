--- Mean cosine similarity of targets and predictions.
-- @classmod cusp.metrics.CosineSimilarity
-- @tparam[opt=-1] integer axis of the vectors
local define = require "cusp.metrics.define"
local loss = require "cusp.losses.cosine_similarity"

return define{
  class = "CosineSimilarity", name = "cosine_similarity",
  parameters = {{"axis", "axis", default = -1, omit_default = true}},
  call = function(y_true, y_pred, axis) return -loss.fn(y_true, y_pred, axis) end,
}
