--- The mean of the binary cross-entropy, see `cusp.losses.BinaryCrossentropy`.
-- @classmod cusp.metrics.BinaryCrossentropy
-- @tparam[opt=false] boolean from_logits
-- @tparam[opt=0] number label_smoothing
local define = require "cusp.metrics.define"

return define{
  class = "BinaryCrossentropy", name = "binary_crossentropy",
  loss = require "cusp.losses.binary_crossentropy",
  parameters = {{"from_logits", "boolean", default = false},
    {"label_smoothing", "number", default = 0}},
}
