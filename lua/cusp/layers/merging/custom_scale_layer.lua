--- The first input plus the second one times a number, as in Inception-ResNet.
-- @classmod cusp.layers.CustomScaleLayer
-- @tparam number scale
local Layer = require "cusp.layers.machinery.layer"
local ops = require "cusp.ops"

return Layer:extend("CustomScaleLayer", {
  config = {{"scale", "number"}},
  compute_output_shape = function(_, shapes) return shapes[1] end,
  call = function(self, inputs)
    return ops.add(inputs[1], ops.multiply(inputs[2], self.scale))
  end,
})
