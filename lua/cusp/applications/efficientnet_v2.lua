--- EfficientNetV2: EfficientNet with whole convolutions in the first stages, where they are faster
-- (Tan and Le, "EfficientNetV2: smaller models and faster training", 2021).
-- @module cusp.applications.efficientnet_v2
local blocks = require "cusp.applications.efficientnet_blocks"
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local weights = require "cusp.applications.weights"

-- Of each stage: repeats, filters in and out, expansion, strides, and whether it is a later one:
-- convolutions of each channel, and squeezing.
local arrangements = {
  b = {
    {1, 32, 16, 1, 1, false}, {2, 16, 32, 4, 2, false}, {2, 32, 48, 4, 2, false},
    {3, 48, 96, 4, 2, true}, {5, 96, 112, 6, 1, true}, {8, 112, 192, 6, 2, true},
  },
  s = {
    {2, 24, 24, 1, 1, false}, {4, 24, 48, 4, 2, false}, {4, 48, 64, 4, 2, false},
    {6, 64, 128, 4, 2, true}, {9, 128, 160, 6, 1, true}, {15, 160, 256, 6, 2, true},
  },
  m = {
    {3, 24, 24, 1, 1, false}, {5, 24, 48, 4, 2, false}, {5, 48, 80, 4, 2, false},
    {7, 80, 160, 4, 2, true}, {14, 160, 176, 6, 1, true}, {18, 176, 304, 6, 2, true},
    {5, 304, 512, 6, 1, true},
  },
  l = {
    {4, 32, 32, 1, 1, false}, {7, 32, 64, 4, 2, false}, {7, 64, 96, 4, 2, false},
    {10, 96, 192, 4, 2, true}, {19, 192, 224, 6, 1, true}, {25, 224, 384, 6, 2, true},
    {7, 384, 640, 6, 1, true},
  },
}

local function stages_of(rows)
  local stages, total = {}, 0
  for i, row in ipairs(rows) do
    stages[i] = {
      repeats = row[1], filters_in = row[2], filters_out = row[3], expansion = row[4],
      strides = row[5], is_depthwise = row[6],
    }
    total = total + row[1]
  end
  return stages, total
end

local function project(x, options, own, arguments)
  arguments[1], arguments.padding, arguments.name = own.filters_out, "same",
    own.name .. "project_conv"
  return blocks.convolve(x, options, arguments, own.name .. "project_bn")
end

local function depthwise_block(x, options, stage, own)
  local name, filters = own.name, own.filters_in * stage.expansion
  if stage.expansion ~= 1 then
    x = blocks.convolve(x, options, {filters, 1, padding = "same", name = name .. "expand_conv"},
      name .. "expand_bn", name .. "expand_activation")
  end
  x = layers.DepthwiseConv2D{
    3, strides = own.strides, padding = "same", use_bias = false,
    depthwise_initializer = blocks.convolutions(), name = name .. "dwconv2",
  }(x)
  x = blocks.normalize(x, options, name .. "bn", name .. "activation")
  x = blocks.squeeze(x, options, filters, math.max(1, own.filters_in // 4), name)
  return project(x, options, own, {nil, 1})
end

local function fused_block(x, options, stage, own)
  local name = own.name
  if stage.expansion == 1 then
    x = project(x, options, own, {nil, 3, strides = own.strides})
    return layers.Activation{"swish", name = name .. "project_activation"}(x)
  end
  x = blocks.convolve(x, options, {
    own.filters_in * stage.expansion, 3, strides = own.strides, padding = "same",
    name = name .. "expand_conv",
  }, name .. "expand_bn", name .. "expand_activation")
  return project(x, options, own, {nil, 1})
end

local function block(inputs, options, stage, own)
  local x = (stage.is_depthwise and depthwise_block or fused_block)(inputs, options, stage, own)
  if own.strides ~= 1 or own.filters_in ~= own.filters_out then return x end
  return blocks.add(x, inputs, own.rate, own.name)
end

-- The networks B0 to B3 keep the pixels of the first generation.
local function scale(x, options, is_b)
  if not options.include_preprocessing then return x end
  if not is_b or x.shape[options.axis] ~= 3 then return layers.Rescaling(1 / 128, -1)(x) end
  x = layers.Rescaling(1 / 255)(x)
  return layers.Normalization{
    mean = {0.485, 0.456, 0.406}, variance = {0.229 ^ 2, 0.224 ^ 2, 0.225 ^ 2},
    axis = options.axis,
  }(x)
end

local function features(kind, width, depth)
  local stages, total = stages_of(arrangements[kind])
  local scaled = {width = blocks.width_without_loss(width), depth = depth}
  return function(x, options)
    options.momentum = 0.9
    x = scale(x, options, kind == "b")
    x = blocks.convolve(x, options, {
      scaled.width(stages[1].filters_in), 3, strides = 2, padding = "same", name = "stem_conv",
    }, "stem_bn", "stem_activation")
    blocks.each(stages, scaled, total, function(stage, own) x = block(x, options, stage, own) end)
    return blocks.finish(x, options, scaled.width(1280))
  end
end

local function efficientnet_v2(letter, kind, width, depth, size, hash, hash_without_top)
  local default_name = "efficientnetv2-" .. letter:lower()
  return network.define{
    name = "EfficientNetV2" .. letter, default_name = default_name, default_size = size,
    min_size = 32,
    order = "include_top weights input_tensor input_shape pooling classes "
      .. "classifier_activation include_preprocessing name",
    features = features(kind, width, depth), pool_names = {avg = "avg_pool", max = "max_pool"},
    top = function(x, options) return blocks.classify(x, options, 0.2) end,
    file = weights.files(default_name, "efficientnet_v2/", hash, hash_without_top),
  }
end

-- Stages, width, depth, size of images, and the sums of the files of trained weights.
local rows = {
  B0 = {"b", 1.0, 1.0, 224, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"},
  B1 = {"b", 1.0, 1.1, 240, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"},
  B2 = {"b", 1.1, 1.2, 260, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"},
  B3 = {"b", 1.2, 1.4, 300, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"},
  S = {"s", 1.0, 1.0, 384, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"},
  M = {"m", 1.0, 1.0, 480, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"},
  L = {"l", 1.0, 1.0, 480, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"},
}

local networks = {}
for letter, row in pairs(rows) do
  networks["EfficientNetV2" .. letter] = efficientnet_v2(letter, table.unpack(row))
end
return networks
