--- InceptionV3: branches of small convolutions side by side (Szegedy et al., "Rethinking the
-- Inception architecture for computer vision", 2015).
-- @module cusp.applications.inception_v3
local layers = require "cusp.layers"
local network = require "cusp.applications.network"
local weights = require "cusp.applications.weights"

local function convolve(x, options, filters, size, strides)
  x = layers.Conv2D{
    filters, size, strides = strides or 1, use_bias = false,
    padding = strides and "valid" or "same",
  }(x)
  x = layers.BatchNormalization{axis = options.axis, scale = false}(x)
  return layers.Activation "relu"(x)
end

-- A branch is a list of convolutions: filters, size, and strides for one without padding.
local function follow(x, options, branch)
  for _, step in ipairs(branch) do x = convolve(x, options, table.unpack(step)) end
  return x
end

local function pooled(x, options, filters)
  x = layers.AveragePooling2D{3, strides = 1, padding = "same"}(x)
  return convolve(x, options, filters, 1)
end

local function join(branches, options, name)
  return layers.Concatenate{axis = options.axis, name = name}(branches)
end

local function mixed(x, options, number, pool_filters, ...)
  local branches = {}
  for i, branch in ipairs{...} do branches[i] = follow(x, options, branch) end
  branches[#branches + 1] = pooled(x, options, pool_filters)
  return join(branches, options, "mixed" .. number)
end

-- Half the height and width.
local function reduced(x, options, number, ...)
  local branches = {}
  for i, branch in ipairs{...} do branches[i] = follow(x, options, branch) end
  branches[#branches + 1] = layers.MaxPooling2D{3, strides = 2}(x)
  return join(branches, options, "mixed" .. number)
end

local function stem(x, options)
  x = follow(x, options, {{32, 3, 2}, {32, 3, 1}, {64, 3}})
  x = layers.MaxPooling2D{3, strides = 2}(x)
  x = follow(x, options, {{80, 1, 1}, {192, 3, 1}})
  return layers.MaxPooling2D{3, strides = 2}(x)
end

-- Seven steps in one direction, then in the other.
local function factorized(x, options, number, inner)
  return mixed(x, options, number, 192, {{192, 1}},
    {{inner, 1}, {inner, {1, 7}}, {192, {7, 1}}},
    {{inner, 1}, {inner, {7, 1}}, {inner, {1, 7}}, {inner, {7, 1}}, {192, {1, 7}}})
end

local function both_ways(x, options, name)
  return join({convolve(x, options, 384, {1, 3}), convolve(x, options, 384, {3, 1})}, options, name)
end

local function expanded(x, options, index)
  local branches = {convolve(x, options, 320, 1)}
  branches[2] = both_ways(convolve(x, options, 384, 1), options, "mixed9_" .. index)
  branches[3] = both_ways(follow(x, options, {{448, 1}, {384, 3}}), options)
  branches[4] = pooled(x, options, 192)
  return join(branches, options, "mixed" .. 9 + index)
end

local function features(x, options)
  x = stem(x, options)
  for i, pool_filters in ipairs{32, 64, 64} do
    x = mixed(x, options, i - 1, pool_filters, {{64, 1}}, {{48, 1}, {64, 5}},
      {{64, 1}, {96, 3}, {96, 3}})
  end
  x = reduced(x, options, 3, {{384, 3, 2}}, {{64, 1}, {96, 3}, {96, 3, 2}})
  for i, inner in ipairs{128, 160, 160, 192} do x = factorized(x, options, i + 3, inner) end
  x = reduced(x, options, 8, {{192, 1}, {320, 3, 2}},
    {{192, 1}, {192, {1, 7}}, {192, {7, 1}}, {192, 3, 2}})
  for index = 0, 1 do x = expanded(x, options, index) end
  return x
end

return {
  InceptionV3 = network.define{
    name = "InceptionV3", default_name = "inception_v3", default_size = 299, min_size = 75,
    features = features,
    top = function(x, options) return network.classify(x, options, "avg_pool") end,
    file = weights.files("inception_v3_weights_tf_dim_ordering_tf_kernels", "inception_v3/",
      "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
  },
}
