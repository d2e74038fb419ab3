--- The base of layers with a fixed output size: `Resizing`, `CenterCrop`, `RandomCrop`.
-- @module cusp.layers.image.sized_images
local bounding_boxes = require "cusp.layers.image.bounding_boxes"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local shapes = require "cusp.base.shape"

local sized = {}

--- The shape of images, batched or not, with the layer's height and width.
function sized.output_shape(self, shape)
  shape = shapes.copy(shape)
  local last = #shape - (options.channels_first(self) and 0 or 1)
  shape[last - 1], shape[last] = self.height, self.width
  return shape
end

--- Cuts a part out of images `[batch, ...]` from a row and a column (from 0), of that size if
-- available.
function sized.part(self, images, top, left, height, width)
  local down, across = self:axes()
  local ranges = {{}, {}, {}, {}}
  ranges[down] = {top + 1, math.min(top + height, images.shape[down])}
  ranges[across] = {left + 1, math.min(left + width, images.shape[across])}
  return images:slice(ranges)
end

--- The largest centred part of an image with the layer's aspect ratio: its first row and column
-- (from 0) and its size.
function sized.middle(self, height, width)
  local part_height = math.max(math.min(height, width * self.height // self.width), 1)
  local part_width = math.max(math.min(width, height * self.width // self.height), 1)
  return (height - part_height) // 2, (width - part_width) // 2, part_height, part_width
end

--- Images in the layer's size.
function sized.resized(self, images, interpolation)
  return ops.image.resize(images, {self.height, self.width},
    {interpolation = interpolation, data_format = self.data_format})
end

--- Boxes after cropping to (top, left), numbers or tensors, with the given size, and resizing to
-- the layer's size.
function sized.boxes(self, data, image, top, left, height, width)
  local format, across, down = self.bounding_box_format, self.width / width, self.height / height
  local x1, y1, x2, y2 = bounding_boxes.corners(data.boxes, format, image.height, image.width)
  return bounding_boxes.within(data, format, self.height, self.width, (x1 - left) * across,
    (y1 - top) * down, (x2 - left) * across,
    (y2 - top) * down)
end

return sized
