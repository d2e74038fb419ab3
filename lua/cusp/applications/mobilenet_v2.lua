--- MobileNetV2: blocks that are wide inside and narrow outside, with shortcuts between the narrow
-- ends (Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018).
-- @module cusp.applications.mobilenet_v2
local errors = require "cusp.base.errors"
local input_shapes = require "cusp.applications.input_shapes"
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local plain = require "cusp.base.plain"
local padding = require "cusp.applications.padding"
local widths = require "cusp.applications.widths"

local sizes = {96, 128, 160, 192, 224}
local alphas = {[0.35] = true, [0.5] = true, [0.75] = true, [1] = true, [1.3] = true, [1.4] = true}

-- Filters, the strides of the first block, and how many blocks.
local stages = {
  {16, 1, 1}, {24, 2, 2}, {32, 2, 3}, {64, 2, 4}, {96, 1, 3}, {160, 2, 3}, {320, 1, 1},
}

local function normalize(x, options, name)
  return layers.BatchNormalization{
    axis = options.axis == 2 and 2 or -1, epsilon = 1e-3, momentum = 0.999, name = name,
  }(x)
end

local function convolve(x, options, filters, prefix, name)
  x = layers.Conv2D{filters, 1, padding = "same", use_bias = false, name = prefix .. name}(x)
  return normalize(x, options, prefix .. name .. "_BN")
end

local function depthwise(x, options, strides, prefix)
  if strides == 2 then
    x = layers.ZeroPadding2D{padding.before_strides(x, 3), name = prefix .. "pad"}(x)
  end
  x = layers.DepthwiseConv2D{
    3, strides = strides, use_bias = false, padding = strides == 1 and "same" or "valid",
    name = prefix .. "depthwise",
  }(x)
  x = normalize(x, options, prefix .. "depthwise_BN")
  return layers.ReLU{6, name = prefix .. "depthwise_relu"}(x)
end

local function block(inputs, options, filters, strides, number)
  local channels = inputs.shape[options.axis]
  local narrow = widths.divisible(filters * options.alpha // 1)
  local prefix, x = number == 0 and "expanded_conv_" or ("block_%d_"):format(number), inputs
  if number > 0 then
    x = convolve(x, options, 6 * channels, prefix, "expand")
    x = layers.ReLU{6, name = prefix .. "expand_relu"}(x)
  end
  x = depthwise(x, options, strides, prefix)
  x = convolve(x, options, narrow, prefix, "project")
  if channels ~= narrow or strides ~= 1 then return x end
  return layers.Add{name = prefix .. "add"}{inputs, x}
end

local function features(x, options)
  x = layers.Conv2D{
    widths.divisible(32 * options.alpha), 3, strides = 2, padding = "same", use_bias = false,
    name = "Conv1",
  }(x)
  x = layers.ReLU{6, name = "Conv1_relu"}(normalize(x, options, "bn_Conv1"))
  local number = 0
  for _, stage in ipairs(stages) do
    for i = 1, stage[3] do
      x = block(x, options, stage[1], i == 1 and stage[2] or 1, number)
      number = number + 1
    end
  end
  local last = options.alpha > 1 and widths.divisible(1280 * options.alpha) or 1280
  x = layers.Conv2D{last, 1, use_bias = false, name = "Conv_1"}(x)
  return layers.ReLU{6, name = "out_relu"}(normalize(x, options, "Conv_1_bn"))
end

local function trained_size(options) return input_shapes.known_size(options, sizes, 224) end

local function file(options)
  if not alphas[options.alpha] then
    errors.raise("MobileNetV2: with weights = \"imagenet\", alpha should be 0.35, 0.5, 0.75, 1, "
      .. "1.3 or 1.4, got %g", options.alpha)
  end
  local alpha = options.alpha == 1 and "1.0" or plain.format("%g", options.alpha)
  return ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_%s_%d%s.h5"):format(alpha,
    trained_size(options), options.include_top and "" or "_no_top"), "mobilenet_v2/"
end

return {
  MobileNetV2 = network.define{
    name = "MobileNetV2", default_size = trained_size, min_size = 32,
    order = "input_shape alpha include_top weights input_tensor pooling classes "
      .. "classifier_activation name",
    own = {alpha = {"alpha", "number", above = 0, default = 1.0}},
    default_name = function(options)
      return plain.format("mobilenetv2_%.2f_%s", options.alpha, options.rows)
    end,
    features = features, file = file,
  },
}
