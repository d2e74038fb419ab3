--- Distorts images as if drawn on rubber (Simard, Steinkraus and Platt, "Best practices for
-- convolutional neural networks", 2003).
-- @classmod cusp.layers.RandomElasticTransform
-- @tparam[opt=1] number|table factor probability that an image is changed, drawn between 0 and
-- `factor` or between two numbers
-- @tparam[opt=1] number|table scale strength from 0 to 1, drawn per batch
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt="reflect"] string fill_mode how to fill beyond the borders: "reflect", "wrap",
-- "constant", "nearest", "mirror"
-- @tparam[opt=0] number fill_value of fill_mode "constant"
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomElasticTransform", {
  arguments.factor("factor", {0, 1}, {default = 1.0}),
  arguments.factor("scale", {0, 1}, {default = 1.0}), arguments.interpolation(),
  arguments.fill_mode "mirror", arguments.fill_value(), arguments.value_range(), options.seed(),
  options.data_format(),
}, {
  get_random_transformation = function(self, images, seed)
    if self.scale[2] == 0 or self.factor[2] == 0 then return nil end
    local height, width = self:size_of(images)
    local chosen = self:chances(seed, images, self.factor)
    local strength = ops.cast(self:draw(seed, {}, self.scale), "float32")
    local places = require("cusp.ops.image.blur").displacements({images.shape[1], height, width}, {
      alpha = strength * (0.1 * math.max(height, width)),
      sigma = strength * (0.05 * math.min(height, width)),
      kernel_size = math.floor(0.3 * math.min(height, width) * self.scale[2]) | 1, seed = seed,
    })
    return {chosen = chosen, places = places}
  end,

  move = function(self, images, transformation, interpolation)
    local sampling = require "cusp.ops.image.sample"
    local x, restore = sampling.as_batch("RandomElasticTransform", images, self.data_format)
    local moved = sampling.displaced(x, transformation.places[1], transformation.places[2],
      interpolation, self.fill_mode, self.fill_value)
    return ops.where(transformation.chosen, restore(moved), images)
  end,

  transform_images = function(self, images, transformation)
    images = Base.transform_images(self, images, transformation)
    return transformation and ops.clip(images, self.value_range[1], self.value_range[2]) or images
  end,
})
