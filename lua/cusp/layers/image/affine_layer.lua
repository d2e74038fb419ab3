--- The base of layers that transform images by affine maps: `RandomRotation`, `RandomTranslation`,
-- `RandomZoom`, `RandomShear`. Their `get_random_transformation` returns `{matrix =}`. It maps a
-- position (x, y) of the result to the position to read, as six numbers or tensors [batch] (see
-- `cusp.ops.image.sample`).
-- @classmod cusp.layers.AffineLayer
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local bounding_boxes = require "cusp.layers.image.bounding_boxes"
local engine = require "cusp.engine"

local rows = engine.ops

local AffineLayer = Base:extend("AffineLayer")

--- Makes a class; see `BaseImagePreprocessingLayer.define`.
function AffineLayer.define(name, config, members)
  local class = Base.define(name, config, members, AffineLayer)
  return class
end

--- Numbers [batch].
function AffineLayer:draw_each(seed, images, range)
  return self:draw(seed, {images.shape[1]}, range)
end

function AffineLayer:move(images, transformation, interpolation)
  return require("cusp.ops.image.sample").affine(images, transformation.matrix, {
    interpolation = interpolation, fill_mode = self.fill_mode, fill_value = self.fill_value,
    data_format = self.data_format,
  })
end

function AffineLayer:get_random_transformation(images, seed)
  local height, width = self:size_of(images)
  return {matrix = self:draw_matrix(images, seed, height, width), height = height, width = width}
end

local function per_image(value)
  return type(value) == "number" and value or rows.reshape(value, {-1, 1, 1})
end

-- Boxes move by the inverse of the map, applied to their corners.
function AffineLayer:transform_bounding_boxes(data, transformation)
  if not transformation then return data end
  local height, width, format = transformation.height, transformation.width,
    self.bounding_box_format
  local m = {}
  for i, value in ipairs(transformation.matrix) do m[i] = per_image(value) end
  local determinant = rows.subtract(rows.multiply(m[1], m[5]), rows.multiply(m[2], m[4]))
  local function moved(x, y)
    x, y = rows.subtract(x, m[3]), rows.subtract(y, m[6])
    local u = rows.subtract(rows.multiply(x, m[5]), rows.multiply(y, m[2]))
    local v = rows.subtract(rows.multiply(y, m[1]), rows.multiply(x, m[4]))
    return rows.divide(u, determinant), rows.divide(v, determinant)
  end
  return bounding_boxes.within(data, format, height, width,
    bounding_boxes.around(moved, bounding_boxes.corners(data.boxes, format, height, width)))
end

return AffineLayer
