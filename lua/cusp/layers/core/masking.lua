--- Masks steps in which all features equal one value, so that later layers ignore them. Input and
-- output: `[batch, time, ...]`.
-- @classmod cusp.layers.Masking
-- @tparam[opt=0] number mask_value
local Layer = require "cusp.layers.machinery.layer"
local masks = require "cusp.base.masks"
local ops = require "cusp.ops"

return Layer:extend("Masking", {
  supports_masking = true,
  makes_masks = true,
  config = {{"mask_value", "number", default = 0.0}},

  compute_mask = function(self, inputs)
    return ops.any(ops.not_equal(inputs, self.mask_value), -1)
  end,

  call = function(self, inputs)
    local counted = ops.any(ops.not_equal(inputs, self.mask_value), -1, true)
    local outputs = ops.where(counted, inputs, 0)
    masks.set(outputs, ops.squeeze(counted, -1))
    return outputs
  end,

  compute_output_shape = function(_, input_shape) return input_shape end,
})
