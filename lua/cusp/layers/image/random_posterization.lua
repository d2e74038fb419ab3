--- Reduces the number of bits per channel.
-- @classmod cusp.layers.RandomPosterization
-- @tparam number|table factor how many of 8 bits to keep: at least 1 and less than `factor` (1 for
-- 1), or from the first of two numbers to below the second
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"

local bytes = {0, 255}

return Base.define("RandomPosterization", {
  arguments.factor("factor", {1, 8}), arguments.value_range(), options.data_format(),
  options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    local shape, low, high = {images.shape[1], 1, 1, 1}, math.floor(self.factor[1]),
      math.floor(self.factor[2])
    local bits = low == high and ops.full(shape, low, "int32")
      or random.randint(shape, low, high, {seed = seed})
    return {step = ops.cast(ops.left_shift(1, ops.subtract(8, bits)), self.compute_dtype)}
  end,

  transform = function(self, images, transformation)
    local step = transformation.step
    local values = ops.clip(self.map_range(images, self.value_range, bytes), 0, 255)
    return self.map_range(ops.multiply(ops.floor(ops.divide(values, step)), step), bytes,
      self.value_range)
  end,
})
