--- The mean of the sparse categorical cross-entropy, see
-- `cusp.losses.SparseCategoricalCrossentropy`.
-- @classmod cusp.metrics.SparseCategoricalCrossentropy
-- @tparam[opt=false] boolean from_logits
-- @tparam[opt] integer ignore_class
-- @tparam[opt=-1] integer axis
local define = require "cusp.metrics.define"

return define{
  class = "SparseCategoricalCrossentropy", name = "sparse_categorical_crossentropy",
  loss = require "cusp.losses.sparse_categorical_crossentropy",
  parameters = {
    {"from_logits", "boolean", default = false}, {"ignore_class", "integer", optional = true},
    {"axis", "axis", default = -1},
  },
}
