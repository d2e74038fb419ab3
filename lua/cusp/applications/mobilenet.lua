--- MobileNet: convolutions of each channel by itself, then 1×1 convolutions (Howard et al.,
-- "MobileNets", 2017).
-- @module cusp.applications.mobilenet
local errors = require "cusp.base.errors"
local input_shapes = require "cusp.applications.input_shapes"
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local plain = require "cusp.base.plain"

local sizes = {128, 160, 192, 224}
local alphas = {[0.25] = "2_5", [0.5] = "5_0", [0.75] = "7_5", [1] = "1_0"}

-- The filters of each block, and which make images smaller.
local blocks = {
  {64}, {128, 2}, {128}, {256, 2}, {256}, {512, 2}, {512}, {512}, {512}, {512}, {512}, {1024, 2},
  {1024},
}

local function finish(x, options, name)
  x = layers.BatchNormalization{axis = options.axis == 2 and 2 or -1, name = name .. "_bn"}(x)
  return layers.ReLU{6, name = name .. "_relu"}(x)
end

local function block(x, options, number)
  local filters, strides = blocks[number][1], blocks[number][2] or 1
  if strides == 2 then
    x = layers.ZeroPadding2D{{{0, 1}, {0, 1}}, name = "conv_pad_" .. number}(x)
  end
  x = layers.DepthwiseConv2D{
    3, padding = strides == 1 and "same" or "valid", depth_multiplier = options.depth_multiplier,
    strides = strides, use_bias = false, name = "conv_dw_" .. number,
  }(x)
  x = finish(x, options, "conv_dw_" .. number)
  x = layers.Conv2D{
    filters * options.alpha // 1 | 0, 1, padding = "same", use_bias = false, strides = 1,
    name = "conv_pw_" .. number,
  }(x)
  return finish(x, options, "conv_pw_" .. number)
end

local function features(x, options)
  x = layers.Conv2D{
    32 * options.alpha // 1 | 0, 3, padding = "same", use_bias = false, strides = 2, name = "conv1",
  }(x)
  x = finish(x, options, "conv1")
  for number = 1, #blocks do x = block(x, options, number) end
  return x
end

local function top(x, options)
  x = layers.GlobalAveragePooling2D{keepdims = true}(x)
  x = layers.Dropout{options.dropout, name = "dropout"}(x)
  x = layers.Conv2D{options.classes, 1, padding = "same", name = "conv_preds"}(x)
  x = layers.Reshape{{options.classes}, name = "reshape_2"}(x)
  return layers.Activation{options.classifier_activation, name = "predictions"}(x)
end

local function trained_size(options) return input_shapes.known_size(options, sizes, 224) end

local function file(options)
  local alpha = alphas[options.alpha]
  if options.depth_multiplier ~= 1 or not alpha then
    errors.raise("MobileNet: with weights = \"imagenet\", alpha should be 0.25, 0.5, 0.75 or 1 and "
      .. "depth_multiplier 1, got alpha = %g, depth_multiplier = %d", options.alpha,
      options.depth_multiplier)
  end
  return ("mobilenet_%s_%d_tf%s.h5"):format(alpha, trained_size(options),
    options.include_top and "" or "_no_top"), "mobilenet/"
end

return {
  MobileNet = network.define{
    name = "MobileNet", default_size = trained_size, min_size = 32,
    order = "input_shape alpha depth_multiplier dropout include_top weights input_tensor pooling "
      .. "classes classifier_activation name",
    own = {
      alpha = {"alpha", "number", above = 0, default = 1.0},
      depth_multiplier = {"depth_multiplier", "integer", min = 1, default = 1},
      dropout = {"dropout", "number", min = 0, max = 1, default = 1e-3},
    },
    default_name = function(options)
      return plain.format("mobilenet_%.2f_%s", options.alpha, options.rows)
    end,
    features = features, top = top, file = file,
  },
}
