--- EfficientNet: depth, width and size of images grow together (Tan and Le, "EfficientNet:
-- rethinking model scaling for convolutional neural networks", 2019).
-- @module cusp.applications.efficientnet
local blocks = require "cusp.applications.efficientnet_blocks"
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local padding = require "cusp.applications.padding"
local plain = require "cusp.base.plain"
local weights = require "cusp.applications.weights"

local stages = {
  {size = 3, repeats = 1, filters_in = 32, filters_out = 16, expansion = 1, strides = 1},
  {size = 3, repeats = 2, filters_in = 16, filters_out = 24, expansion = 6, strides = 2},
  {size = 5, repeats = 2, filters_in = 24, filters_out = 40, expansion = 6, strides = 2},
  {size = 3, repeats = 3, filters_in = 40, filters_out = 80, expansion = 6, strides = 2},
  {size = 5, repeats = 3, filters_in = 80, filters_out = 112, expansion = 6, strides = 1},
  {size = 5, repeats = 4, filters_in = 112, filters_out = 192, expansion = 6, strides = 2},
  {size = 3, repeats = 1, filters_in = 192, filters_out = 320, expansion = 6, strides = 1},
}

local function depthwise(x, options, size, strides, name)
  if strides == 2 then
    x = layers.ZeroPadding2D{padding.before_strides(x, size), name = name .. "dwconv_pad"}(x)
  end
  x = layers.DepthwiseConv2D{
    size, strides = strides, padding = strides == 2 and "valid" or "same", use_bias = false,
    depthwise_initializer = blocks.convolutions(), name = name .. "dwconv",
  }(x)
  return blocks.normalize(x, options, name .. "bn", name .. "activation")
end

local function block(inputs, options, stage, own)
  local name, filters, x = own.name, own.filters_in * stage.expansion, inputs
  if stage.expansion ~= 1 then
    x = blocks.convolve(x, options, {filters, 1, padding = "same", name = name .. "expand_conv"},
      name .. "expand_bn", name .. "expand_activation")
  end
  x = depthwise(x, options, stage.size, own.strides, name)
  x = blocks.squeeze(x, options, filters, math.max(1, own.filters_in // 4), name)
  x = blocks.convolve(x, options,
    {own.filters_out, 1, padding = "same", name = name .. "project_conv"}, name .. "project_bn")
  if own.strides ~= 1 or own.filters_in ~= own.filters_out then return x end
  return blocks.add(x, inputs, own.rate, name)
end

-- The trained weights expect pixels divided by the deviation once more.
local function scale(x, options)
  x = layers.Rescaling(1 / 255)(x)
  x = layers.Normalization{axis = options.axis}(x)
  if options.weights ~= "imagenet" then return x end
  local factors = {}
  for i, deviation in ipairs{0.229, 0.224, 0.225} do factors[i] = 1 / math.sqrt(deviation) end
  return layers.Rescaling{scale = factors}(x)
end

local function features(width, depth)
  local scaled = {width = blocks.width(width), depth = depth}
  local total = 0
  for _, stage in ipairs(stages) do total = total + blocks.repeats(stage.repeats, depth) end
  return function(x, options)
    x = scale(x, options)
    x = layers.ZeroPadding2D{padding.before_strides(x, 3), name = "stem_conv_pad"}(x)
    x = blocks.convolve(x, options, {scaled.width(32), 3, strides = 2, name = "stem_conv"},
      "stem_bn", "stem_activation")
    blocks.each(stages, scaled, total, function(stage, own) x = block(x, options, stage, own) end)
    return blocks.finish(x, options, scaled.width(1280))
  end
end

local function efficientnet(name, width, depth, size, dropout, hash, hash_without_top)
  local lower = plain.lower(name)
  return network.define{
    name = name, default_name = lower, default_size = size, min_size = 32,
    features = features(width, depth), pool_names = {avg = "avg_pool", max = "max_pool"},
    top = function(x, options) return blocks.classify(x, options, dropout) end,
    file = weights.files(lower, "https://storage.googleapis.com/keras-applications/", hash,
      hash_without_top),
  }
end

-- Width, depth, size of images, dropout, and the sums of the files of trained weights.
local rows = {
  B0 = {1.0, 1.0, 224, 0.2, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"},
  B1 = {1.0, 1.1, 240, 0.2, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"},
  B2 = {1.1, 1.2, 260, 0.3, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"},
  B3 = {1.2, 1.4, 300, 0.3, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"},
  B4 = {1.4, 1.8, 380, 0.4, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"},
  B5 = {1.6, 2.2, 456, 0.4, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"},
  B6 = {1.8, 2.6, 528, 0.5, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"},
  B7 = {2.0, 3.1, 600, 0.5, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"},
}

local networks = {}
for letter, row in pairs(rows) do
  local name = "EfficientNet" .. letter
  networks[name] = efficientnet(name, table.unpack(row))
end
return networks
