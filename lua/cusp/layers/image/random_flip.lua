--- Flips each image with a probability of one half.
-- @classmod cusp.layers.RandomFlip
-- @tparam[opt="horizontal_and_vertical"] string mode "horizontal" (swaps left and right),
-- "vertical", or both at once
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
-- @usage local layer = layers.RandomFlip "horizontal"
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local bounding_boxes = require "cusp.layers.image.bounding_boxes"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

-- 0 .. size - 1, or reversed if an image is flipped: [batch, size].
local function places(flips, size)
  local forwards = ops.reshape(ops.arange(0, size, {dtype = "int32"}), {1, size})
  return ops.where(flips, ops.subtract(size - 1, forwards),
    ops.broadcast_to(forwards, {flips.shape[1], size}))
end

-- Flips one axis of x [batch, ..., size, ...] by index; the axes before and after it move as
-- blocks.
local function flip_axis(x, axis, flips)
  local shape, before, after = x.shape, 1, 1
  local size = shape[axis]
  for i = 2, axis - 1 do before = before * shape[i] end
  for i = axis + 1, #shape do after = after * shape[i] end
  local line = ops.reshape(ops.arange(0, shape[1] * before, {dtype = "int32"}),
    {shape[1], before, 1})
  local index = ops.add(ops.multiply(line, size),
    ops.reshape(places(flips, size), {shape[1], 1, size}))
  return ops.reshape(ops.take(ops.reshape(x, {-1, after}), index, 1), shape)
end

return Base.define("RandomFlip", {
  {"mode", "choice", choices = {"horizontal", "vertical", "horizontal_and_vertical"},
    default = "horizontal_and_vertical"},
  options.seed(), options.data_format(),
}, {
  get_random_transformation = function(self, images, seed)
    local height, width = self:size_of(images)
    local flips = ops.less_equal(self:draw(seed, {images.shape[1], 1}, {0.0, 1.0}), 0.5)
    return {flips = flips, height = height, width = width}
  end,

  move = function(self, images, transformation)
    local down, across = self:axes()
    if self.mode ~= "vertical" then images = flip_axis(images, across, transformation.flips) end
    if self.mode ~= "horizontal" then images = flip_axis(images, down, transformation.flips) end
    return images
  end,

  transform_bounding_boxes = function(self, data, transformation)
    if not transformation then return data end
    local height, width, format = transformation.height, transformation.width,
      self.bounding_box_format
    local flips = ops.expand_dims(transformation.flips, -1)
    local x1, y1, x2, y2 = bounding_boxes.corners(data.boxes, format, height, width)
    if self.mode ~= "vertical" then
      x1, x2 = ops.where(flips, width - x2, x1), ops.where(flips, width - x1, x2)
    end
    if self.mode ~= "horizontal" then
      y1, y2 = ops.where(flips, height - y2, y1), ops.where(flips, height - y1, y2)
    end
    return bounding_boxes.within(data, format, height, width, x1, y1, x2, y2)
  end,
})
