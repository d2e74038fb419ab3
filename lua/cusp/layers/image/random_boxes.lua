--- Draws rectangles at random positions of images, for layers that fill them.
-- @module cusp.layers.image.random_boxes
local ops = require "cusp.ops"

local boxes = {}

-- For each image, the start and end of a segment with that share of a length, and the length.
local function bounds(layer, seed, batch, length, share)
  local size = ops.multiply(share, length)
  local start = ops.multiply(layer:draw(seed, {batch, 1, 1, 1}, {0.0, 1.0}),
    ops.subtract(length, size))
  return start, ops.add(start, size), size
end

local function within(layer, axis, length, start, stop)
  local shape = {1, 1, 1, 1}
  shape[axis] = length
  local places = ops.reshape(ops.arange(0, length, {dtype = layer.compute_dtype}), shape)
  return ops.logical_and(ops.greater_equal(places, start), ops.less(places, stop))
end

--- Draws a box for each image.
-- @tparam Layer layer
-- @tparam SeedGenerator seed
-- @tparam tensor images
-- @tparam tensor across `[batch, 1, 1, 1]`, its share of the width
-- @tparam tensor down its share of the height
-- @treturn tensor of bool, true within the boxes, with a channel axis of 1
-- @treturn tensor `[batch, 1, 1, 1]`, the share of the image that the box covers
function boxes.draw(layer, seed, images, across, down)
  local row_axis, column_axis = layer:axes()
  local batch, height, width = images.shape[1], layer:size_of(images)
  local x1, x2, box_width = bounds(layer, seed, batch, width, across)
  local y1, y2, box_height = bounds(layer, seed, batch, height, down)
  local mask = ops.logical_and(within(layer, column_axis, width, x1, x2),
    within(layer, row_axis, height, y1, y2))
  return mask, ops.divide(ops.multiply(box_width, box_height), width * height)
end

return boxes
