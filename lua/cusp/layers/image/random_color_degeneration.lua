--- Removes a random share of the colour of images.
-- @classmod cusp.layers.RandomColorDegeneration
-- @tparam number|table factor the share: between `-factor` and `factor`, or between two numbers; 1
-- is grey
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomColorDegeneration", {
  arguments.factor("factor", {-1, 1}), arguments.value_range(), options.data_format(),
  options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    return {factor = self:draw(seed, {images.shape[1], 1, 1, 1}, self.factor)}
  end,

  transform = function(self, images, transformation)
    local grey = ops.image.rgb_to_grayscale(images, {data_format = self.data_format})
    local changed = ops.add(images, ops.multiply(transformation.factor, ops.subtract(grey, images)))
    return ops.clip(changed, self.value_range[1], self.value_range[2])
  end,
})
