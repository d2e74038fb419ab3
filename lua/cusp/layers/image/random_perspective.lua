--- Applies a random perspective by moving the corners of images.
-- @classmod cusp.layers.RandomPerspective
-- @tparam[opt=1] number|table factor probability that an image is changed, drawn between 0 and
-- `factor` or between two numbers
-- @tparam[opt=1] number scale how far corners move, from 0 to 1
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt=0] number fill_value for pixels beyond the borders
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local bounding_boxes = require "cusp.layers.image.bounding_boxes"
local engine = require "cusp.engine"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

return Base.define("RandomPerspective", {
  arguments.factor("factor", {0, 1}, {default = 1.0}),
  {"scale", "number", min = 0, max = 1, default = 1.0}, arguments.interpolation(),
  arguments.fill_value(), options.seed(), options.data_format(),
}, {
  get_random_transformation = function(self, images, seed)
    local height, width = self:size_of(images)
    local batch, right, bottom = images.shape[1], width - 1.0, height - 1.0
    local start = engine.tensor({{{0.0, 0.0}, {right, 0.0}, {0.0, bottom}, {right, bottom}}},
      {dtype = "float32"})
    start = ops.broadcast_to(start, {batch, 4, 2})
    local chosen = self:chances(seed, images, self.factor)
    local moves = ops.cast(self:draw(seed, {batch, 4, 2}, {-0.5 * self.scale, 0.5 * self.scale}),
      "float32")
    return {chosen = chosen, start_points = start, end_points = start + start * moves,
      height = height, width = width}
  end,

  move = function(self, images, transformation, interpolation)
    local moved = ops.image.perspective_transform(images, transformation.start_points,
      transformation.end_points, {
      interpolation = interpolation, fill_value = self.fill_value, data_format = self.data_format,
    })
    return ops.where(transformation.chosen, moved, images)
  end,

  transform_bounding_boxes = function(self, data, transformation)
    if not transformation then return data end
    local height, width, format = transformation.height, transformation.width,
      self.bounding_box_format
    local homography = require("cusp.ops.image.sample").homography(transformation.end_points,
      transformation.start_points)
    local function parameter(i) return ops.reshape(homography:slice{{}, {i, i}}, {-1, 1, 1}) end
    local function line(i, x, y, constant)
      return parameter(i) * x + parameter(i + 1) * y + constant
    end
    local chosen = ops.reshape(transformation.chosen, {-1, 1, 1})
    local function moved(x, y)
      local depth = line(7, x, y, 1.0)
      return ops.where(chosen, line(1, x, y, parameter(3)) / depth, x),
        ops.where(chosen, line(4, x, y, parameter(6)) / depth, y)
    end
    return bounding_boxes.within(data, format, height, width,
      bounding_boxes.around(moved, bounding_boxes.corners(data.boxes, format, height, width)))
  end,
})
