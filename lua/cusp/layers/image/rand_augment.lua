--- Applies a few augmentations, chosen at random per batch (Cubuk et al., "RandAugment", 2019).
-- @classmod cusp.layers.RandAugment
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt=2] integer num_ops number of augmentations, applied in turn
-- @tparam[opt=0.5] number|table factor their strength, from 0 to 1
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local augmentations = require "cusp.layers.image.augmentations"
local options = require "cusp.layers.machinery.options"

local names = {"RandomShear", "RandomTranslation", "RandomRotation", "RandomBrightness",
  "RandomColorDegeneration", "RandomContrast",
  "RandomSharpness", "RandomPosterization", "Solarization", "AutoContrast", "Equalization"}

-- Runs a method of the chosen layers, in turn.
local function run(self, method, data, transformation)
  local alternatives = {}
  for i, layer in ipairs(self.__own.layers) do
    alternatives[i] = function(x) return layer[method](layer, x, transformation.drawn[i]) end
  end
  for _, choice in ipairs(transformation.choices) do
    data = augmentations.apply(choice, alternatives, data)
  end
  return data
end

return Base.define("RandAugment", {
  arguments.value_range(), {"num_ops", "integer", min = 1, default = 2},
  arguments.factor("factor", {0, 1}, {default = 0.5}),
  arguments.interpolation(), options.seed(), options.data_format(),
}, {
  build = function(self, input_shape)
    Base.build(self, input_shape)
    self.__own.layers = augmentations.make(self, names) -- they hold nothing to be saved
  end,

  get_random_transformation = function(self, images, seed)
    local drawn = {}
    for i, layer in ipairs(self.__own.layers) do
      drawn[i] = layer:get_random_transformation(images, seed)
    end
    return {choices = augmentations.choose(self.num_ops, #names, seed), drawn = drawn}
  end,

  transform = function(self, images, transformation)
    return run(self, "transform_images", images, transformation)
  end,

  transform_segmentation_masks = function(self, masks, transformation)
    return transformation and run(self, "transform_segmentation_masks", masks, transformation)
      or masks
  end,

  transform_bounding_boxes = function(self, data, transformation)
    return transformation and run(self, "transform_bounding_boxes", data, transformation) or data
  end,
})
