--- Sharpens or blurs images: interpolates between the smoothed image and the one at twice the
-- distance from it.
-- @classmod cusp.layers.RandomSharpness
-- @tparam number|table factor 0 blurs, 0.5 changes nothing, 1 sharpens; between 0 and `factor`, or
-- between two numbers
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

-- Each pixel and its two neighbours along an axis.
local function sum_of_three(x, axis)
  local width, part = {{0, 0}, {0, 0}, {0, 0}, {0, 0}}, {{}, {}, {}, {}}
  local size, sum = x.shape[axis], nil
  width[axis] = {1, 1}
  local wide = ops.pad(x, width)
  for i = 1, 3 do
    part[axis] = {i, i + size - 1}
    sum = sum and ops.add(sum, wide:slice(part)) or wide:slice(part)
  end
  return sum
end

return Base.define("RandomSharpness", {
  arguments.factor("factor", {0, 1}), arguments.value_range(), options.data_format(),
  options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    return {factor = self:draw(seed, {images.shape[1], 1, 1, 1}, self.factor)}
  end,

  transform = function(self, images, transformation)
    local down, across = self:axes()
    -- a kernel of thirteenths; the centre has five
    local sum = sum_of_three(sum_of_three(images, down), across)
    local smooth = ops.add(ops.multiply(sum, 1 / 13), ops.multiply(images, 4 / 13))
    local share = ops.subtract(1.0, ops.multiply(transformation.factor, 2.0))
    return ops.clip(ops.add(images, ops.multiply(share, ops.subtract(smooth, images))),
      self.value_range[1], self.value_range[2])
  end,
})
