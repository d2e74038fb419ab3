--- Makes images lighter or darker by a random share of the range of values.
-- @classmod cusp.layers.RandomBrightness
-- @tparam number|table factor between `-factor` and `factor`, or between two numbers from -1 to 1
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomBrightness",
  {arguments.factor("factor", {-1, 1}), arguments.value_range(), options.seed()}, {
  get_random_transformation = function(self, images, seed)
    local low, high = self.value_range[1], self.value_range[2]
    return {change = self:draw(seed, {images.shape[1], 1, 1, 1}, self.factor) * (high - low)}
  end,

  transform = function(self, images, transformation)
    return ops.clip(ops.add(images, transformation.change), self.value_range[1],
      self.value_range[2])
  end,
})
