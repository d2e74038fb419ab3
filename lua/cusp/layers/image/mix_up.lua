--- Mixes each image and its labels with another one of the batch (Zhang et al., "mixup: beyond
-- empirical risk minimization", 2017).
-- @classmod cusp.layers.MixUp
-- @tparam[opt=0.2] number alpha of the beta distribution of the mixing weights
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
-- @usage local batch = layers.MixUp(0.2){images = x, labels = y}
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local mixed = require "cusp.layers.image.mixed_batches"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local random = require "cusp.tensors.random"

return Base.define("MixUp", {
  {"alpha", "number", above = 0, default = 0.2}, options.data_format(), options.seed(),
}, {
  get_random_transformation = function(self, images, seed)
    local order = mixed.order(images, seed)
    return {order = order,
      share = random.beta({images.shape[1]}, self.alpha, self.alpha, {seed = seed})}
  end,

  transform = function(_, images, drawn) return mixed.blend(images, drawn.share, drawn.order) end,
  transform_labels = function(_, labels, drawn)
    return drawn and mixed.blend(labels, drawn.share, drawn.order) or labels
  end,
  transform_segmentation_masks = function(_, masks, drawn)
    return drawn and mixed.blend(masks, drawn.share, drawn.order) or masks
  end,

  -- Both images are visible, so the boxes of both are kept.
  transform_bounding_boxes = function(_, data, drawn)
    if not drawn then return data end
    local function both(x) return ops.concatenate({x, ops.take(x, drawn.order, 1)}, 2) end
    return {boxes = both(data.boxes), labels = both(data.labels)}
  end,
})
