--- Stretches each channel to the full range of values. Also active outside training.
-- @classmod cusp.layers.AutoContrast
-- @tparam[opt={0, 255}] table value_range of the pixels
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"

return Base.define("AutoContrast", {arguments.value_range()}, {
  always = true,

  transform = function(self, images)
    local down, across = self:axes()
    local least, greatest = ops.min(images, {down, across}, true),
      ops.max(images, {down, across}, true)
    local extent, low, high = ops.subtract(greatest, least), self.value_range[1],
      self.value_range[2]
    local flat = ops.equal(extent, 0)
    local scale = ops.divide(high - low, ops.where(flat, 1.0, extent))
    local stretched = ops.add(ops.multiply(ops.subtract(images, least), scale), low)
    return ops.where(flat, images, ops.clip(stretched, low, high))
  end,
})
