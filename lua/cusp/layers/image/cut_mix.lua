--- Replaces a rectangle of each image with one of another image in the batch, and mixes labels by
-- area (Yun et al., "CutMix", 2019).
-- @classmod cusp.layers.CutMix
-- @tparam[opt=1] number|table factor of the beta distribution of the areas, drawn between 0 and
-- `factor` or between two numbers
-- @tparam[opt] integer seed
-- @tparam[opt] string data_format
-- @usage local batch = layers.CutMix(){images = x, labels = y}
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local boxes = require "cusp.layers.image.random_boxes"
local mixed = require "cusp.layers.image.mixed_batches"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"

return Base.define("CutMix", {
  arguments.factor("factor", {0, 1}, {default = 1.0}), options.seed(), options.data_format(),
}, {
  get_random_transformation = function(self, images, seed)
    local alpha = ops.add(self:draw(seed, {}, self.factor), 1e-6)
    local kept = random.beta({images.shape[1], 1, 1, 1}, alpha, alpha,
      {dtype = self.compute_dtype, seed = seed})
    local ratio = ops.sqrt(ops.subtract(1.0, kept))
    local mask, area = boxes.draw(self, seed, images, ratio, ratio)
    return {order = mixed.order(images, seed), mask = mask, share = ops.subtract(1.0, area)}
  end,

  move = function(_, images, drawn)
    return ops.where(drawn.mask, ops.take(images, drawn.order, 1), images)
  end,
  transform_labels = function(_, labels, drawn)
    return drawn and mixed.blend(labels, drawn.share, drawn.order) or labels
  end,
})
