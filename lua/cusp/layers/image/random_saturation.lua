--- Makes colours stronger or weaker.
-- @classmod cusp.layers.RandomSaturation
-- @tparam number|table factor 0 removes all colour, 0.5 changes nothing, 1 gives the strongest
-- colours; between two numbers, or between `-factor` and `factor`
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local epsilon = 1e-7

return Base.define("RandomSaturation", {
  arguments.factor("factor", {-1, 1}), arguments.value_range(), options.data_format(),
  options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    local factor = self:draw(seed, {images.shape[1], 1, 1}, self.factor)
    return {strength = factor / (1 + epsilon - factor)}
  end,

  transform = function(self, images, transformation)
    local channels = select(3, self:axes())
    local planes = ops.unstack(ops.image.rgb_to_hsv(images, {data_format = self.data_format}),
      {axis = channels})
    planes[2] = ops.clip(ops.multiply(planes[2], transformation.strength), self.value_range[1],
      self.value_range[2])
    return ops.image.hsv_to_rgb(ops.stack(planes, channels), {data_format = self.data_format})
  end,
})
