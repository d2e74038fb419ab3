--- Returns its inputs unchanged. Input and output: any tensors.
-- @classmod cusp.layers.Identity
local Layer = require "cusp.layers.machinery.layer"

return Layer:extend("Identity", {
  supports_masking = true,
  call = function(_, inputs) return inputs end,
  compute_output_shape = function(_, shape) return shape end,
})
