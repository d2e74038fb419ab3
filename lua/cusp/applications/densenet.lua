--- DenseNet: every layer of a block sees all layers before it (Huang et al., "Densely connected
-- convolutional networks", 2016).
-- @module cusp.applications.densenet
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local plain = require "cusp.base.plain"
local weights = require "cusp.applications.weights"

local growth = 32 -- channels that each layer of a block adds

local function rectified(x, options, normalization, activation)
  x = layers.BatchNormalization{axis = options.axis, epsilon = 1.001e-5, name = normalization}(x)
  return layers.Activation{"relu", name = activation}(x)
end

local function dense_layer(x, options, name)
  local added = rectified(x, options, name .. "_0_bn", name .. "_0_relu")
  added = layers.Conv2D{4 * growth, 1, use_bias = false, name = name .. "_1_conv"}(added)
  added = rectified(added, options, name .. "_1_bn", name .. "_1_relu")
  added = layers.Conv2D{
    growth, 3, padding = "same", use_bias = false, name = name .. "_2_conv",
  }(added)
  return layers.Concatenate{axis = options.axis, name = name .. "_concat"}{x, added}
end

local function transition(x, options, name)
  x = rectified(x, options, name .. "_bn", name .. "_relu")
  x = layers.Conv2D{x.shape[options.axis] // 2, 1, use_bias = false, name = name .. "_conv"}(x)
  return layers.AveragePooling2D{2, strides = 2, name = name .. "_pool"}(x)
end

local function features(counts)
  return function(x, options)
    x = layers.ZeroPadding2D{3}(x)
    x = layers.Conv2D{64, 7, strides = 2, use_bias = false, name = "conv1_conv"}(x)
    x = rectified(x, options, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D{1}(x)
    x = layers.MaxPooling2D{3, strides = 2, name = "pool1"}(x)
    for i, count in ipairs(counts) do
      for k = 1, count do x = dense_layer(x, options, ("conv%d_block%d"):format(i + 1, k)) end
      if i < #counts then x = transition(x, options, "pool" .. i + 1) end
    end
    return rectified(x, options, "bn", "relu")
  end
end

local function densenet(name, counts, hash, hash_without_top)
  local lower = plain.lower(name)
  return network.define{
    name = name, default_name = lower, default_size = 224, min_size = 32,
    channels_last_only = true,
    features = features(counts), pool_names = {avg = "avg_pool", max = "max_pool"},
    top = function(x, options) return network.classify(x, options, "avg_pool") end,
    file = weights.files(lower .. "_weights_tf_dim_ordering_tf_kernels", "densenet/", hash,
      hash_without_top),
  }
end

return {
  DenseNet121 = densenet("DenseNet121", {6, 12, 24, 16}, "9d60b8095a5708f2dcce2bca79d332c7",
    "30ee3e1110167f948a6b9946edeeb738"),
  DenseNet169 = densenet("DenseNet169", {6, 12, 32, 32}, "d699b8f76981ab1b30698df4c175e90b",
    "b8c4d4c20dd625c148057b9ff1c1176b"),
  DenseNet201 = densenet("DenseNet201", {6, 12, 48, 32}, "1ceb130c1ea1b78c3bf6114dbdfd8807",
    "c13680b51ded0fb44dff2d8f86ac8bb1"),
}
