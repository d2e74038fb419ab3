--- ResNet: blocks beside shortcuts (He et al., "Deep residual learning for image recognition",
-- 2015) and ResNetV2, which normalises before each convolution (He et al., "Identity mappings in
-- deep residual networks", 2016).
-- @module cusp.applications.resnet
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local plain = require "cusp.base.plain"
local weights = require "cusp.applications.weights"

local function normalize(x, options, name)
  return layers.BatchNormalization{axis = options.axis, epsilon = 1.001e-5, name = name}(x)
end

local function rectify(x, name) return layers.Activation{"relu", name = name}(x) end

---------------------------------------------------------------- the first generation

local function block(x, options, filters, name, strides)
  local shortcut = x
  if strides then
    shortcut = layers.Conv2D{4 * filters, 1, strides = strides, name = name .. "_0_conv"}(x)
    shortcut = normalize(shortcut, options, name .. "_0_bn")
  end
  x = layers.Conv2D{filters, 1, strides = strides or 1, name = name .. "_1_conv"}(x)
  x = rectify(normalize(x, options, name .. "_1_bn"), name .. "_1_relu")
  x = layers.Conv2D{filters, 3, padding = "same", name = name .. "_2_conv"}(x)
  x = rectify(normalize(x, options, name .. "_2_bn"), name .. "_2_relu")
  x = layers.Conv2D{4 * filters, 1, name = name .. "_3_conv"}(x)
  x = normalize(x, options, name .. "_3_bn")
  x = layers.Add{name = name .. "_add"}{shortcut, x}
  return rectify(x, name .. "_out")
end

-- The first block of a stage makes images smaller, but for the first stage.
local function stage(x, options, filters, count, name)
  for i = 1, count do
    local strides = i == 1 and (name == "conv2" and 1 or 2) or nil
    x = block(x, options, filters, ("%s_block%d"):format(name, i), strides)
  end
  return x
end

---------------------------------------------------------------- the second generation

local function shortcut_v2(x, before, options)
  if options.projects then
    return layers.Conv2D{4 * options.filters, 1, strides = options.strides,
      name = options.name .. "_0_conv"}(before)
  end
  return options.strides > 1 and layers.MaxPooling2D{1, strides = options.strides}(x) or x
end

local function block_v2(x, network_options, options)
  local name, filters = options.name, options.filters
  local before = normalize(x, network_options, name .. "_preact_bn")
  before = rectify(before, name .. "_preact_relu")
  local shortcut = shortcut_v2(x, before, options)
  x = layers.Conv2D{filters, 1, strides = 1, use_bias = false, name = name .. "_1_conv"}(before)
  x = rectify(normalize(x, network_options, name .. "_1_bn"), name .. "_1_relu")
  x = layers.ZeroPadding2D{1, name = name .. "_2_pad"}(x)
  x = layers.Conv2D{
    filters, 3, strides = options.strides, use_bias = false, name = name .. "_2_conv",
  }(x)
  x = rectify(normalize(x, network_options, name .. "_2_bn"), name .. "_2_relu")
  x = layers.Conv2D{4 * filters, 1, name = name .. "_3_conv"}(x)
  return layers.Add{name = name .. "_out"}{shortcut, x}
end

-- The last block of a stage makes images smaller, but for the last stage.
local function stage_v2(x, options, filters, count, name)
  for i = 1, count do
    x = block_v2(x, options, {
      filters = filters, name = ("%s_block%d"):format(name, i), projects = i == 1,
      strides = i == count and name ~= "conv5" and 2 or 1,
    })
  end
  return x
end

---------------------------------------------------------------- networks

local function features(counts, is_v2)
  return function(x, options)
    x = layers.ZeroPadding2D{3, name = "conv1_pad"}(x)
    x = layers.Conv2D{64, 7, strides = 2, name = "conv1_conv"}(x)
    if not is_v2 then x = rectify(normalize(x, options, "conv1_bn"), "conv1_relu") end
    x = layers.ZeroPadding2D{1, name = "pool1_pad"}(x)
    x = layers.MaxPooling2D{3, strides = 2, name = "pool1_pool"}(x)
    for i, count in ipairs(counts) do
      x = (is_v2 and stage_v2 or stage)(x, options, 32 << i, count, "conv" .. i + 1)
    end
    if is_v2 then x = rectify(normalize(x, options, "post_bn"), "post_relu") end
    return x
  end
end

local function resnet(name, counts, hash, hash_without_top)
  local lower, is_v2 = plain.lower(name), name:find "V2$" ~= nil
  return network.define{
    name = name, default_name = lower, default_size = 224, min_size = 32,
    features = features(counts, is_v2), pool_names = {avg = "avg_pool", max = "max_pool"},
    top = function(x, options) return network.classify(x, options, "avg_pool") end,
    file = weights.files(lower .. "_weights_tf_dim_ordering_tf_kernels", "resnet/", hash,
      hash_without_top),
  }
end

return {
  ResNet50 = resnet("ResNet50", {3, 4, 6, 3}, "2cb95161c43110f7111970584f804107",
    "4d473c1dd8becc155b73f8504c6f6626"),
  ResNet101 = resnet("ResNet101", {3, 4, 23, 3}, "f1aeb4b969a6efcfb50fad2f0c20cfc5",
    "88cf7a10940856eca736dc7b7e228a21"),
  ResNet152 = resnet("ResNet152", {3, 8, 36, 3}, "100835be76be38e30d865e96f2aaae62",
    "ee4c566cf9a93f14d82f913c2dc6dd0c"),
  ResNet50V2 = resnet("ResNet50V2", {3, 4, 6, 3}, "3ef43a0b657b3be2300d5770ece849e0",
    "fac2f116257151a9d068a22e544a4917"),
  ResNet101V2 = resnet("ResNet101V2", {3, 4, 23, 3}, "6343647c601c52e1368623803854d971",
    "c0ed64b8031c3730f411d2eb4eea35b5"),
  ResNet152V2 = resnet("ResNet152V2", {3, 8, 36, 3}, "a49b44d1979771252814e80f8ec446f9",
    "ed17cf2e0169df9d443503ef94b23b33"),
}
