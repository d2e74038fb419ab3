--- Multiplies the distance of pixels from their channel's mean by a random number.
-- @classmod cusp.layers.RandomContrast
-- @tparam number|table factor draws the number between 1 and `1 + factor`, or, for two factors,
-- between `1 - low` and `1 + high`
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomContrast",
  {arguments.factor("factor", {0, 1}), arguments.value_range(), options.seed()}, {
  get_random_transformation = function(self, images, seed)
    return {contrast = self:draw(seed, {images.shape[1], 1, 1, 1},
      {1 - self.factor[1], 1 + self.factor[2]})}
  end,

  transform = function(self, images, transformation)
    local down, across = self:axes()
    local mean, contrast = ops.mean(images, {down, across}, true), transformation.contrast
    -- (x - mean) c + mean, with the part common to all pixels of a channel computed once
    local changed = ops.add(ops.multiply(images, contrast),
      ops.multiply(mean, ops.subtract(1.0, contrast)))
    return ops.clip(changed, self.value_range[1], self.value_range[2])
  end,
})
