--- Mixes images with the results of chains of random augmentations (Hendrycks et al., "AugMix",
-- 2019). The augmentations are chosen per batch. Outside compiled models, as in `dataset:map`, only
-- the chosen ones run; a compiled model runs all of them.
-- @classmod cusp.layers.AugMix
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt=3] integer num_chains
-- @tparam[opt=3] integer chain_depth the maximum number of augmentations in a chain
-- @tparam[opt=0.3] number|table factor their strength, from 0 to 1
-- @tparam[opt=1] number alpha of the distributions of the mixing weights
-- @tparam[opt=true] boolean all_ops whether to include changes of brightness, contrast, colour and
-- sharpness
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local augmentations = require "cusp.layers.image.augmentations"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"

local some = {"RandomShear", "RandomTranslation", "RandomRotation", "RandomPosterization",
  "Solarization", "AutoContrast",
  "Equalization"}
local all = table.move({"RandomBrightness", "RandomColorDegeneration", "RandomContrast",
  "RandomSharpness"}, 1, 4, #some + 1,
  table.move(some, 1, #some, 1, {}))

-- One link of a chain: a choice, and what each layer has drawn for it. The last alternative does
-- nothing.
local function draw_link(self, images, choice, seed)
  local drawn = {}
  for i, layer in ipairs(self.__own.layers) do
    drawn[i] = layer:get_random_transformation(images, seed)
  end
  return {choice = choice, drawn = drawn}
end

local function run_link(self, method, data, link)
  local alternatives = {}
  for i, layer in ipairs(self.__own.layers) do
    alternatives[i] = function(x) return layer[method](layer, x, link.drawn[i]) end
  end
  alternatives[#alternatives + 1] = function(x) return x end
  return augmentations.apply(link.choice, alternatives, data)
end

local function mix(self, method, data, transformation)
  local sum
  for i, chain in ipairs(transformation.chains) do
    local augmented = data
    for _, link in ipairs(chain) do augmented = run_link(self, method, augmented, link) end
    local part = ops.multiply(augmented, transformation.shares[i])
    sum = sum and ops.add(sum, part) or part
  end
  local original = transformation.original
  return ops.add(ops.multiply(data, original), ops.multiply(sum, ops.subtract(1.0, original)))
end

return Base.define("AugMix", {
  arguments.value_range(), {"num_chains", "integer", min = 1, default = 3},
  {"chain_depth", "integer", min = 1, default = 3},
  arguments.factor("factor", {0, 1}, {default = 0.3}),
  {"alpha", "number", above = 0, default = 1.0}, options.flag("all_ops", true),
  arguments.interpolation(), options.seed(), options.data_format(),
}, {
  build = function(self, input_shape)
    Base.build(self, input_shape)
    -- raw: they hold nothing to be saved
    self.__own.layers = augmentations.make(self, self.all_ops and all or some)
  end,

  get_random_transformation = function(self, images, seed)
    local gamma = random.gamma({self.num_chains}, self.alpha, {seed = seed})
    local shares = ops.cast(ops.divide(gamma, ops.sum(gamma)), self.compute_dtype)
    local original = ops.cast(random.beta({}, self.alpha, self.alpha, {seed = seed}),
      self.compute_dtype)
    local choices = augmentations.choose(self.num_chains * self.chain_depth, #self.__own.layers + 1,
      seed)
    local chains = {}
    for i = 1, self.num_chains do
      chains[i] = {}
      for j = 1, self.chain_depth do
        chains[i][j] = draw_link(self, images, choices[(i - 1) * self.chain_depth + j], seed)
      end
    end
    return {shares = ops.unstack(shares), original = original, chains = chains}
  end,

  transform = function(self, images, transformation)
    local mixed = mix(self, "transform_images", images, transformation)
    return ops.clip(mixed, self.value_range[1], self.value_range[2])
  end,

  transform_segmentation_masks = function(self, masks, transformation)
    return transformation and mix(self, "transform_segmentation_masks", masks, transformation)
      or masks
  end,

  transform_bounding_boxes = function(self, data, transformation)
    if transformation then self:refuse_boxes() end
    return data
  end,
})
