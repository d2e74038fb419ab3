--- Blurs images with a given probability.
-- @classmod cusp.layers.RandomGaussianBlur
-- @tparam[opt=1] number|table factor probability that an image is changed, drawn between 0 and
-- `factor` or between two numbers
-- @tparam[opt=3] integer|table kernel_size odd; width and height
-- @tparam[opt=1] number|table sigma standard deviations of the kernel, drawn between 0 and `sigma`
-- or between two numbers, per batch
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local config = {
  arguments.factor("factor", {0, 1}, {default = 1.0}),
  {"kernel_size", "integers", rank = 2, min = 1, default = {3, 3}},
  arguments.factor("sigma", {0, 1}, {default = 1.0}), arguments.value_range(),
  options.data_format(), options.seed(),
}

return Base.define("RandomGaussianBlur", config, {
  init = function(self, args)
    Base.configure(self, args)
    for _, size in ipairs(self.kernel_size) do
      if size % 2 == 0 then
        errors.raise("RandomGaussianBlur: argument 'kernel_size' should be odd, got %d", size)
      end
    end
    Base.init(self, args)
  end,

  get_random_transformation = function(self, images, seed)
    return {chosen = self:chances(seed, images, self.factor),
      sigma = self:draw(seed, {2}, self.sigma)}
  end,

  transform = function(self, images, transformation)
    local blurred = ops.image.gaussian_blur(images, self.kernel_size, transformation.sigma,
      {data_format = self.data_format})
    return ops.clip(ops.where(transformation.chosen, blurred, images), self.value_range[1],
      self.value_range[2])
  end,
})
