--- Randomly changes brightness, contrast, saturation and hue, in turn.
-- @classmod cusp.layers.RandomColorJitter
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt] number|table brightness_factor see `RandomBrightness`; by default unchanged
-- @tparam[opt] number|table contrast_factor see `RandomContrast`
-- @tparam[opt] number|table saturation_factor see `RandomSaturation`
-- @tparam[opt] number|table hue_factor see `RandomHue`
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local options = require "cusp.layers.machinery.options"
local rooms = require "cusp.base.rooms"

local rule = {kept = true, optional = true}
local order = {{"brightness_factor", "RandomBrightness"}, {"contrast_factor", "RandomContrast"},
  {"saturation_factor", "RandomSaturation"}, {"hue_factor", "RandomHue"}}

return Base.define("RandomColorJitter", {
  arguments.value_range(), arguments.factor("brightness_factor", {-1, 1}, rule),
  arguments.factor("contrast_factor", {0, 1}, rule),
  arguments.factor("saturation_factor", {-1, 1}, rule),
  arguments.factor("hue_factor", {0, 1}, rule), options.seed(),
  options.data_format(),
}, {
  build = function(self, input_shape)
    Base.build(self, input_shape)
    local steps, layers = {}, rooms.get "layers"
    for _, entry in ipairs(order) do
      local factor = self[entry[1]]
      if factor then
        steps[#steps + 1] = layers[entry[2]]{
          factor = factor, value_range = self.value_range, data_format = self.data_format,
          dtype = self.dtype_policy,
        }
      end
    end
    self.__own.steps = steps -- they hold nothing to be saved
  end,

  get_random_transformation = function(self, images, seed)
    local drawn = {}
    for i, step in ipairs(self.__own.steps) do
      drawn[i] = step:get_random_transformation(images, seed)
    end
    return drawn
  end,

  transform = function(self, images, drawn)
    for i, step in ipairs(self.__own.steps) do images = step:transform_images(images, drawn[i]) end
    return images
  end,
})
