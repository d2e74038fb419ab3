--- Resizes images. Also active outside training. Integers stay integers.
-- @classmod cusp.layers.Resizing
-- @tparam integer height
-- @tparam integer width
-- @tparam[opt="bilinear"] string interpolation "nearest", "bilinear", "bicubic", "lanczos3" or
-- "lanczos5"
-- @tparam[opt=false] boolean crop_to_aspect_ratio crop instead of distorting
-- @tparam[opt=false] boolean pad_to_aspect_ratio add borders instead of distorting
-- @tparam[opt="constant"] string fill_mode
-- @tparam[opt=0] number fill_value of the borders
-- @tparam[opt=false] boolean antialias smooth before shrinking images
-- @tparam[opt] string data_format
-- @usage local layer = layers.Resizing(224, 224)
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local bounding_boxes = require "cusp.layers.image.bounding_boxes"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local sized = require "cusp.layers.image.sized_images"

-- How a position moves: factors and offsets, in x and y.
local function geometry(self, height, width)
  local across, down = self.width / width, self.height / height
  if self.pad_to_aspect_ratio then
    local factor = math.min(across, down)
    return factor, (self.width - width * factor) // 2, factor, (self.height - height * factor) // 2
  elseif self.crop_to_aspect_ratio then
    local factor = math.max(across, down)
    return factor, -((width * factor - self.width) // 2), factor,
      -((height * factor - self.height) // 2)
  end
  return across, 0, down, 0
end

return Base.define("Resizing", {
  {"height", "integer", min = 1}, {"width", "integer", min = 1},
  {"interpolation", "choice", choices = {"nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"},
    default = "bilinear"},
  options.flag("crop_to_aspect_ratio", false), options.flag("pad_to_aspect_ratio", false),
  {"fill_mode", "choice", choices = {"constant"}, default = "constant"},
  {"fill_value", "number", default = 0.0},
  options.flag("antialias", false), options.data_format(),
}, {
  keeps_dtype = true,
  always = true,
  output_shape = sized.output_shape,

  init = function(self, args)
    Base.configure(self, args)
    if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio then
      errors.raise "Resizing: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true"
    end
    Base.init(self, args)
  end,

  move = function(self, images, _, interpolation)
    return ops.image.resize(images, {self.height, self.width}, {
      interpolation = interpolation, antialias = self.antialias, data_format = self.data_format,
      crop_to_aspect_ratio = self.crop_to_aspect_ratio,
      pad_to_aspect_ratio = self.pad_to_aspect_ratio,
      fill_mode = self.fill_mode, fill_value = self.fill_value,
    })
  end,

  get_random_transformation = function(self, images)
    local height, width = self:size_of(images)
    return {height = height, width = width}
  end,

  transform_images = function(self, images) return self:move(images, nil, self.interpolation) end,

  transform_bounding_boxes = function(self, data, transformation)
    local format, height, width = self.bounding_box_format, transformation.height,
      transformation.width
    local across, right, down, below = geometry(self, height, width)
    local x1, y1, x2, y2 = bounding_boxes.corners(data.boxes, format, height, width)
    return bounding_boxes.within(data, format, self.height, self.width, x1 * across + right,
      y1 * down + below, x2 * across + right,
      y2 * down + below)
  end,
})
