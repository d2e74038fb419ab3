--- Crops the centre of images, or, if they are smaller, the largest part of that aspect ratio,
-- which is then resized. Also active outside training.
-- @classmod cusp.layers.CenterCrop
-- @tparam integer height
-- @tparam integer width
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local options = require "cusp.layers.machinery.options"
local sized = require "cusp.layers.image.sized_images"

-- The part of images to keep, and whether it has the right size.
local function part_of(self, height, width)
  if height >= self.height and width >= self.width then
    return true, (height - self.height) // 2, (width - self.width) // 2, self.height, self.width
  end
  return false, sized.middle(self, height, width)
end

return Base.define("CenterCrop", {
  {"height", "integer", min = 1}, {"width", "integer", min = 1}, options.data_format(),
}, {
  always = true,
  interpolation = "bilinear",
  output_shape = sized.output_shape,

  move = function(self, images, _, interpolation)
    local fits, top, left, height, width = part_of(self, self:size_of(images))
    local part = sized.part(self, images, top, left, height, width)
    return fits and part or sized.resized(self, part, interpolation)
  end,

  get_random_transformation = function(self, images)
    local height, width = self:size_of(images)
    return {height = height, width = width}
  end,

  transform_bounding_boxes = function(self, data, image)
    return sized.boxes(self, data, image, select(2, part_of(self, image.height, image.width)))
  end,
})
