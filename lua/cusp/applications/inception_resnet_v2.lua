--- Inception-ResNet-v2: Inception's branches beside shortcuts (Szegedy et al., "Inception-v4,
-- Inception-ResNet and the impact of residual connections on learning", 2016).
-- @module cusp.applications.inception_resnet_v2
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local weights = require "cusp.applications.weights"

local function convolve(x, options, filters, size, strides, name)
  x = layers.Conv2D{
    filters, size, strides = strides or 1, use_bias = false, name = name,
    padding = strides and "valid" or "same",
  }(x)
  x = layers.BatchNormalization{axis = options.axis, scale = false,
    name = name and name .. "_bn"}(x)
  return layers.Activation{"relu", name = name and name .. "_ac"}(x)
end

-- A branch is a list of convolutions: filters, size, and strides for one without padding.
local function follow(x, options, branch)
  for _, step in ipairs(branch) do x = convolve(x, options, table.unpack(step)) end
  return x
end

local function join(x, options, branches, pooled, name)
  local outputs = {}
  for i, branch in ipairs(branches) do outputs[i] = follow(x, options, branch) end
  if pooled then outputs[#outputs + 1] = pooled(x) end
  return layers.Concatenate{axis = options.axis, name = name}(outputs)
end

local function max_pool(x) return layers.MaxPooling2D{3, strides = 2}(x) end

local kinds = {
  block35 = {{{32, 1}}, {{32, 1}, {32, 3}}, {{32, 1}, {48, 3}, {64, 3}}},
  block17 = {{{192, 1}}, {{128, 1}, {160, {1, 7}}, {192, {7, 1}}}},
  block8 = {{{192, 1}}, {{192, 1}, {224, {1, 3}}, {256, {3, 1}}}},
}

local function block(x, options, kind, number, scale, is_last)
  local name = ("%s_%d"):format(kind, number)
  local mixed = join(x, options, kinds[kind], nil, name .. "_mixed")
  local up = layers.Conv2D{
    x.shape[options.axis], 1, padding = "same", name = name .. "_conv",
  }(mixed)
  x = layers.CustomScaleLayer(scale){x, up}
  return is_last and x or layers.Activation{"relu", name = name .. "_ac"}(x)
end

local function repeated(x, options, kind, count, scale)
  for number = 1, count do x = block(x, options, kind, number, scale) end
  return x
end

local function stem(x, options)
  x = follow(x, options, {{32, 3, 2}, {32, 3, 1}, {64, 3}})
  x = layers.MaxPooling2D{3, strides = 2}(x)
  x = follow(x, options, {{80, 1, 1}, {192, 3, 1}})
  x = layers.MaxPooling2D{3, strides = 2}(x)
  return join(x, options, {{{96, 1}}, {{48, 1}, {64, 5}}, {{64, 1}, {96, 3}, {96, 3}}},
    function(inputs)
      local pooled = layers.AveragePooling2D{3, strides = 1, padding = "same"}(inputs)
      return convolve(pooled, options, 64, 1)
    end, "mixed_5b")
end

local function features(x, options)
  x = repeated(stem(x, options), options, "block35", 10, 0.17)
  x = join(x, options, {{{384, 3, 2}}, {{256, 1}, {256, 3}, {384, 3, 2}}}, max_pool, "mixed_6a")
  x = repeated(x, options, "block17", 20, 0.1)
  x = join(x, options,
    {{{256, 1}, {384, 3, 2}}, {{256, 1}, {288, 3, 2}}, {{256, 1}, {288, 3}, {320, 3, 2}}},
    max_pool, "mixed_7a")
  x = repeated(x, options, "block8", 9, 0.2)
  x = block(x, options, "block8", 10, 1.0, true)
  return convolve(x, options, 1536, 1, nil, "conv_7b")
end

return {
  InceptionResNetV2 = network.define{
    name = "InceptionResNetV2", default_name = "inception_resnet_v2", default_size = 299,
    min_size = 75,
    features = features,
    top = function(x, options) return network.classify(x, options, "avg_pool") end,
    file = weights.files("inception_resnet_v2_weights_tf_dim_ordering_tf_kernels",
      "inception_resnet_v2/", "e693bd0210a403b3192acc6073ad2e96",
      "d19885ff4a710c122648d3b5c3b684e4"),
  },
}
