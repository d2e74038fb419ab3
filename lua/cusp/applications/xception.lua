--- Xception: separable convolutions beside shortcuts (Chollet, "Xception: deep learning with
-- depthwise separable convolutions", 2016).
-- @module cusp.applications.xception
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local weights = require "cusp.applications.weights"

local function normalize(x, options, name)
  return layers.BatchNormalization{axis = options.axis == 2 and 2 or -1, name = name}(x)
end

local function rectify(x, name) return layers.Activation{"relu", name = name}(x) end

local function separable(x, options, filters, name)
  x = layers.SeparableConv2D{filters, 3, padding = "same", use_bias = false, name = name}(x)
  return normalize(x, options, name .. "_bn")
end

local function smaller(x, options, filters)
  x = layers.Conv2D{filters, 1, strides = 2, padding = "same", use_bias = false}(x)
  return normalize(x, options)
end

-- Two separable convolutions and a pooling; the first block comes after an activation already.
local function entry_block(x, options, number, first, second)
  local name = ("block%d_"):format(number)
  local shortcut = smaller(x, options, second)
  if number > 2 then x = rectify(x, name .. "sepconv1_act") end
  x = separable(x, options, first, name .. "sepconv1")
  x = rectify(x, name .. "sepconv2_act")
  x = separable(x, options, second, name .. "sepconv2")
  x = layers.MaxPooling2D{3, strides = 2, padding = "same", name = name .. "pool"}(x)
  return layers.Add(){x, shortcut}
end

local function middle_block(inputs, options, number)
  local x = inputs
  for i = 1, 3 do
    local name = ("block%d_sepconv%d"):format(number, i)
    x = separable(rectify(x, name .. "_act"), options, 728, name)
  end
  return layers.Add(){x, inputs}
end

local function features(x, options)
  for i, filters in ipairs{32, 64} do
    local name = "block1_conv" .. i
    x = layers.Conv2D{filters, 3, strides = i == 1 and 2 or 1, use_bias = false, name = name}(x)
    x = rectify(normalize(x, options, name .. "_bn"), name .. "_act")
  end
  for i, filters in ipairs{128, 256, 728} do
    x = entry_block(x, options, i + 1, filters, filters)
  end
  for number = 5, 12 do x = middle_block(x, options, number) end
  x = entry_block(x, options, 13, 728, 1024)
  for i, filters in ipairs{1536, 2048} do
    local name = "block14_sepconv" .. i
    x = rectify(separable(x, options, filters, name), name .. "_act")
  end
  return x
end

return {
  Xception = network.define{
    name = "Xception", default_name = "xception", default_size = 299, min_size = 71,
    features = features,
    top = function(x, options) return network.classify(x, options, "avg_pool") end,
    file = weights.files("xception_weights_tf_dim_ordering_tf_kernels", "xception/",
      "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
  },
}
