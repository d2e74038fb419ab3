--- The mean of the categorical cross-entropy, see `cusp.losses.CategoricalCrossentropy`.
-- @classmod cusp.metrics.CategoricalCrossentropy
-- @tparam[opt=false] boolean from_logits
-- @tparam[opt=0] number label_smoothing
-- @tparam[opt=-1] integer axis
local define = require "cusp.metrics.define"

return define{
  class = "CategoricalCrossentropy", name = "categorical_crossentropy",
  loss = require "cusp.losses.categorical_crossentropy",
  parameters = {
    {"from_logits", "boolean", default = false}, {"label_smoothing", "number", default = 0},
    {"axis", "axis", default = -1},
  },
}
