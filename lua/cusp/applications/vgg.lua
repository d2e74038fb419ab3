--- VGG: stacks of 3×3 convolutions (Simonyan and Zisserman, "Very deep convolutional networks for
-- large-scale image recognition", 2014).
-- @module cusp.applications.vgg
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local plain = require "cusp.base.plain"
local weights = require "cusp.applications.weights"

local filters = {64, 128, 256, 512, 512}

local function features(counts)
  return function(x)
    for block, count in ipairs(counts) do
      local prefix = ("block%d_"):format(block)
      for i = 1, count do
        x = layers.Conv2D{
          filters[block], 3, activation = "relu", padding = "same", name = prefix .. "conv" .. i,
        }(x)
      end
      x = layers.MaxPooling2D{2, strides = 2, name = prefix .. "pool"}(x)
    end
    return x
  end
end

local function top(x, options)
  x = layers.Flatten{name = "flatten"}(x)
  x = layers.Dense{4096, activation = "relu", name = "fc1"}(x)
  x = layers.Dense{4096, activation = "relu", name = "fc2"}(x)
  return layers.Dense{
    options.classes, activation = options.classifier_activation, name = "predictions",
  }(x)
end

local function vgg(name, counts, hash, hash_without_top)
  local lower = plain.lower(name)
  return network.define{
    name = name, default_name = lower, default_size = 224, min_size = 32,
    features = features(counts), top = top,
    file = weights.files(lower .. "_weights_tf_dim_ordering_tf_kernels", lower .. "/", hash,
      hash_without_top),
  }
end

return {
  VGG16 = vgg("VGG16", {2, 2, 3, 3, 3}, "64373286793e3c8b2b4e3219cbf3544b",
    "6d6bbae143d832006294945121d1f1fc"),
  VGG19 = vgg("VGG19", {2, 2, 4, 4, 4}, "cbe5617147190e668d6c5d5026f83318",
    "253f8cb515780f3b799900260a226db6"),
}
