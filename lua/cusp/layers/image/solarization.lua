--- Lightens images, then inverts all pixels above a threshold.
-- @classmod cusp.layers.Solarization
-- @tparam[opt=0] number|table addition_factor share of 255 to add, between 0 and the factor, or
-- between two numbers
-- @tparam[opt=0] number|table threshold_factor threshold as a share of 255, in the same form
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local rule = {strict = true, upward = true, default = 0.0}
local bytes = {0, 255}

return Base.define("Solarization", {
  arguments.factor("addition_factor", {0, 1}, rule),
  arguments.factor("threshold_factor", {0, 1}, rule), arguments.value_range(),
  options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    -- As in Keras, the lower bound is not multiplied by 255.
    local function draw(factor)
      return self:draw(seed, {images.shape[1], 1, 1, 1}, {factor[1], factor[2] * 255})
    end
    return {addition = draw(self.addition_factor), threshold = draw(self.threshold_factor)}
  end,

  transform = function(self, images, drawn)
    local x = self.map_range(images, self.value_range, bytes)
    x = ops.clip(ops.add(x, drawn.addition), 0, 255)
    return self.map_range(ops.where(ops.less(x, drawn.threshold), x, ops.subtract(255, x)), bytes,
      self.value_range)
  end,
})
