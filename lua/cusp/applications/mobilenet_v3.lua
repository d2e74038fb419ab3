--- MobileNetV3: MobileNetV2's blocks with squeeze-and-excitation and hard swish, in an arrangement
-- that a search found (Howard et al., "Searching for MobileNetV3", 2019).
-- @module cusp.applications.mobilenet_v3
local errors = require "cusp.base.errors"
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local padding = require "cusp.applications.padding"
local plain = require "cusp.base.plain"
local widths = require "cusp.applications.widths"

-- Of each block: how much wider it is inside, filters, whether its kernel is the large one,
-- strides, whether it squeezes, and whether it uses the network's activation rather than ReLU.
local arrangements = {
  small = {
    {1, 16, false, 2, true, false}, {72 / 16, 24, false, 2, false, false},
    {88 / 24, 24, false, 1, false, false}, {4, 40, true, 2, true, true},
    {6, 40, true, 1, true, true}, {6, 40, true, 1, true, true}, {3, 48, true, 1, true, true},
    {3, 48, true, 1, true, true}, {6, 96, true, 2, true, true}, {6, 96, true, 1, true, true},
    {6, 96, true, 1, true, true},
  },
  large = {
    {1, 16, false, 1, false, false}, {4, 24, false, 2, false, false},
    {3, 24, false, 1, false, false}, {3, 40, true, 2, true, false}, {3, 40, true, 1, true, false},
    {3, 40, true, 1, true, false}, {6, 80, false, 2, false, true},
    {2.5, 80, false, 1, false, true}, {2.3, 80, false, 1, false, true},
    {2.3, 80, false, 1, false, true}, {6, 112, false, 1, true, true},
    {6, 112, false, 1, true, true}, {6, 160, true, 2, true, true}, {6, 160, true, 1, true, true},
    {6, 160, true, 1, true, true},
  },
}

local hashes = {
  ["large_224_0.75_float"] = {"765b44a33ad4005b3ac83185abf1d0eb",
    "40af19a13ebea4e2ee0c676887f69a2e"},
  ["large_224_1.0_float"] = {"59e551e166be033d707958cf9e29a6a7",
    "07fb09a5933dd0c8eaafa16978110389"},
  ["large_minimalistic_224_1.0_float"] = {"675e7b876c45c57e9e63e6d90a36599c",
    "ec5221f64a2f6d1ef965a614bdae7973"},
  ["small_224_0.75_float"] = {"cb65d4e5be93758266aa0a7f2c6708b7",
    "ebdb5cc8e0b497cd13a7c275d475c819"},
  ["small_224_1.0_float"] = {"8768d4c2e7dee89b9d02b2d03d65d862",
    "d3e8ec802a04aa4fc771ee12a9a9b836"},
  ["small_minimalistic_224_1.0_float"] = {"99cd97fb2fcdad2bf028eb838de69e37",
    "cde8136e733e811080d9fcd8a252f7e4"},
}

local function relu(x) return layers.ReLU()(x) end

local function hard_swish(x) return layers.Activation "hard_swish"(x) end

local function hard_sigmoid(x) return layers.ReLU(6)(x + 3) * (1 / 6) end

local function activation_of(options) return options.minimalistic and relu or hard_swish end

local function normalize(x, options, name)
  return layers.BatchNormalization{
    axis = options.axis == 2 and 2 or -1, epsilon = 1e-3, momentum = 0.999, name = name,
  }(x)
end

local function convolve(x, options, filters, name)
  x = layers.Conv2D{filters, 1, padding = "same", use_bias = false, name = name}(x)
  return normalize(x, options, name .. "_bn")
end

local function squeeze(inputs, filters, prefix)
  prefix = prefix .. "squeeze_excite_"
  local x = layers.GlobalAveragePooling2D{keepdims = true, name = prefix .. "avg_pool"}(inputs)
  x = layers.Conv2D{
    widths.divisible(filters * 0.25), 1, padding = "same", name = prefix .. "conv",
  }(x)
  x = layers.ReLU{name = prefix .. "relu"}(x)
  x = layers.Conv2D{filters, 1, padding = "same", name = prefix .. "conv_1"}(x)
  return layers.Multiply{name = prefix .. "mul"}{inputs, hard_sigmoid(x)}
end

local function depthwise(x, options, size, strides, prefix)
  if strides == 2 then
    x = layers.ZeroPadding2D{padding.before_strides(x, size), name = prefix .. "depthwise_pad"}(x)
  end
  x = layers.DepthwiseConv2D{
    size, strides = strides, padding = strides == 1 and "same" or "valid", use_bias = false,
    name = prefix .. "depthwise",
  }(x)
  return normalize(x, options, prefix .. "depthwise_bn")
end

local function block(inputs, options, row, number)
  local expansion, filters, is_large, strides, squeezes, own = table.unpack(row)
  local channels, x = inputs.shape[options.axis], inputs
  local activation = own and activation_of(options) or relu
  local wide = widths.divisible(channels * expansion)
  local prefix = number == 0 and "expanded_conv_" or ("expanded_conv_%d_"):format(number)
  filters = widths.divisible(filters * options.alpha)
  if number > 0 then x = activation(convolve(x, options, wide, prefix .. "expand")) end
  x = depthwise(x, options, is_large and not options.minimalistic and 5 or 3, strides, prefix)
  x = activation(x)
  if squeezes and not options.minimalistic then x = squeeze(x, wide, prefix) end
  x = convolve(x, options, filters, prefix .. "project")
  if strides ~= 1 or channels ~= filters then return x end
  return layers.Add{name = prefix .. "add"}{inputs, x}
end

local function features(rows)
  return function(x, options)
    local activation = activation_of(options)
    if options.include_preprocessing then x = layers.Rescaling(1 / 127.5, -1)(x) end
    x = layers.Conv2D{16, 3, strides = 2, padding = "same", use_bias = false, name = "conv"}(x)
    x = activation(normalize(x, options, "conv_bn"))
    for number, row in ipairs(rows) do x = block(x, options, row, number - 1) end
    local last = widths.divisible(x.shape[options.axis] * 6)
    return activation(convolve(x, options, last, "conv_1"))
  end
end

local function top(filters)
  return function(x, options)
    local wide = options.alpha > 1 and widths.divisible(filters * options.alpha) or filters
    x = layers.GlobalAveragePooling2D{keepdims = true}(x)
    x = layers.Conv2D{wide, 1, padding = "same", name = "conv_2"}(x)
    x = activation_of(options)(x)
    if options.dropout_rate > 0 then x = layers.Dropout(options.dropout_rate)(x) end
    x = layers.Conv2D{options.classes, 1, padding = "same", name = "logits"}(x)
    x = layers.Flatten()(x)
    return layers.Activation{options.classifier_activation, name = "predictions"}(x)
  end
end

local function file_of(kind)
  return function(options)
    local alpha = options.alpha == 1 and "1.0" or plain.format("%g", options.alpha)
    local name = ("%s%s_224_%s_float"):format(kind,
      options.minimalistic and "_minimalistic" or "", alpha)
    local sums = hashes[name]
    if not sums then
      errors.raise(
        "MobileNetV3: with weights = \"imagenet\", alpha should be 0.75 or 1, or 1 where "
        .. "it is minimalistic, got %g", options.alpha)
    end
    if options.include_top then
      return ("weights_mobilenet_v3_%s.h5"):format(name), "mobilenet_v3/", sums[1]
    end
    return ("weights_mobilenet_v3_%s_no_top_v2.h5"):format(name), "mobilenet_v3/", sums[2]
  end
end

local function mobilenet_v3(name, kind, filters)
  return network.define{
    name = name, default_name = name, default_size = 224, min_size = 32, any_size = true,
    order = "input_shape alpha minimalistic include_top weights input_tensor classes pooling "
      .. "dropout_rate classifier_activation include_preprocessing name",
    own = {
      alpha = {"alpha", "number", above = 0, default = 1.0},
      minimalistic = {"minimalistic", "boolean", default = false},
      dropout_rate = {"dropout_rate", "number", min = 0, max = 1, default = 0.2},
    },
    features = features(arrangements[kind]), top = top(filters),
    pool_names = {avg = "avg_pool", max = "max_pool"}, file = file_of(kind),
  }
end

return {
  MobileNetV3Small = mobilenet_v3("MobileNetV3Small", "small", 1024),
  MobileNetV3Large = mobilenet_v3("MobileNetV3Large", "large", 1280),
}
