--- Crops images at a position that is random per batch during training; otherwise images stay
-- unchanged. If images are smaller than the crop, resizes their largest part of the same aspect
-- ratio.
-- @classmod cusp.layers.RandomCrop
-- @tparam integer height
-- @tparam integer width
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"
local sized = require "cusp.layers.image.sized_images"

-- Crops at a position given by tensors.
local function part_at(self, images, top, left)
  local down, across = self:axes()
  local shape = images.shape
  shape[down], shape[across] = self.height, self.width
  local starts = {0, 0, 0, 0}
  starts[down], starts[across] = top, left
  for i = 1, 4 do starts[i] = ops.reshape(ops.cast(starts[i], "int32"), {1}) end
  return ops.slice(images, ops.concatenate(starts, 1), shape)
end

return Base.define("RandomCrop", {
  {"height", "integer", min = 1}, {"width", "integer", min = 1}, options.seed(),
  options.data_format(),
}, {
  interpolation = "bilinear",
  positional_order = "height width seed data_format name",
  output_shape = sized.output_shape,

  get_random_transformation = function(self, images, seed)
    local height, width = self:size_of(images)
    local image = {height = height, width = width}
    if height > self.height and width > self.width then
      image.top = random.randint({}, 0, height - self.height + 1, {seed = seed})
      image.left = random.randint({}, 0, width - self.width + 1, {seed = seed})
    end
    return image
  end,

  move = function(self, images, image, interpolation)
    if image.top then return part_at(self, images, image.top, image.left) end
    local top, left = sized.middle(self, image.height, image.width)
    local part = sized.part(self, images, top, left, self.height, self.width)
    local height, width = self:size_of(part)
    return height == self.height and width == self.width and part
      or sized.resized(self, part, interpolation)
  end,

  transform_bounding_boxes = function(self, data, image)
    if not image then return data end
    if image.top then
      return sized.boxes(self, data, image, ops.cast(image.top, "float32"),
        ops.cast(image.left, "float32"), self.height, self.width)
    end
    local top, left = sized.middle(self, image.height, image.width)
    return sized.boxes(self, data, image, top, left, math.min(self.height, image.height - top),
      math.min(self.width, image.width - left))
  end,
})
