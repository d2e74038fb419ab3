--- Converts each image to greyscale with a given probability.
-- @classmod cusp.layers.RandomGrayscale
-- @tparam[opt=0.5] number factor the probability
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomGrayscale", {
  {"factor", "number", min = 0, max = 1, default = 0.5}, options.data_format(), options.seed(true),
}, {
  get_random_transformation = function(self, images, seed)
    return {chosen = ops.less(self:draw(seed, {images.shape[1], 1, 1, 1}, {0.0, 1.0}), self.factor)}
  end,

  transform = function(self, images, transformation)
    return ops.where(transformation.chosen,
      ops.image.rgb_to_grayscale(images, {data_format = self.data_format}), images)
  end,
})
