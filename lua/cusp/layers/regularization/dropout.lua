--- Sets inputs to zero at random while training; the rest are scaled by `1 / (1 - rate)`.
-- Input and output: `[batch, ...]`.
-- @classmod cusp.layers.Dropout
-- @tparam number rate fraction of the inputs to drop, between 0 and 1
-- @tparam[opt] table noise_shape shape of the mask; an axis of 1 shares it along that axis,
-- `cusp.None` follows the inputs
-- @tparam[opt] integer seed
-- @usage local layer = layers.Dropout{0.5}
local Layer = require "cusp.layers.machinery.layer"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"
local shapes = require "cusp.base.shape"

return Layer:extend("Dropout", {
  supports_masking = true,
  keeps_dtype = true,
  call_arguments = {"training"},
  config = {{"rate", "number", min = 0, max = 1}, {"noise_shape", "shape", optional = true},
    options.seed()},

  build = function(self)
    self.generator = random.SeedGenerator{self.seed}
  end,

  call = function(self, inputs, args)
    if not args.training or self.rate == 0 then return inputs end
    local noise_shape
    if self.noise_shape then
      noise_shape = {}
      local shape = inputs.shape
      for i, size in ipairs(self.noise_shape) do
        noise_shape[i] = size == shapes.None and shape[i] or size
      end
    end
    return random.dropout(inputs, self.rate, {noise_shape = noise_shape, seed = self.generator})
  end,

  compute_output_shape = function(_, input_shape)
    return input_shape
  end,
})
