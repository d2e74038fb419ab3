--- Inverts images with a given probability.
-- @classmod cusp.layers.RandomInvert
-- @tparam[opt=1] number|table factor the probability is drawn between 0 and `factor`, or between
-- two numbers
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomInvert", {
  arguments.factor("factor", {0, 1}, {default = 1.0}), arguments.value_range(), options.seed(),
  options.data_format(),
}, {
  get_random_transformation = function(self, images, seed)
    return {chosen = self:chances(seed, images, self.factor)}
  end,

  transform = function(self, images, transformation)
    return ops.where(transformation.chosen, ops.subtract(self.value_range[2], images), images)
  end,
})
