--- Rotates the hue of images.
-- @classmod cusp.layers.RandomHue
-- @tparam number|table factor up to half of `factor` of a turn in either direction; or between two
-- numbers from 0 to 1
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomHue", {
  arguments.factor("factor", {0, 1}), arguments.value_range(), options.data_format(),
  options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    local shape = {images.shape[1], 1, 1}
    local direction = ops.where(ops.greater(self:draw(seed, shape, {0.0, 1.0}), 0.5), -0.5, 0.5)
    return {turn = ops.cast(self:draw(seed, shape, self.factor) * direction, self.compute_dtype)}
  end,

  transform = function(self, images, transformation)
    local channels, unit = select(3, self:axes()), {0, 1}
    local hsv = ops.image.rgb_to_hsv(self.map_range(images, self.value_range, unit),
      {data_format = self.data_format})
    local planes = ops.unstack(hsv, {axis = channels})
    planes[1] = ops.add(planes[1], transformation.turn) -- whole turns make no difference
    local rgb = ops.image.hsv_to_rgb(ops.stack(planes, channels), {data_format = self.data_format})
    return self.map_range(ops.clip(rgb, 0, 1), unit, self.value_range)
  end,
})
