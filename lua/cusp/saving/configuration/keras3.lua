--- Keras 3's exact form: reorders the keys of serialised objects as in Keras, and adds or removes
-- what Keras adds or omits.
-- @module cusp.saving.configuration.keras3
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"

local keras3 = {}
local is_plain = kinds.is_plain

---------------------------------------------------------------- what Keras 3.15's classes write

local recurrent =
  "return_sequences return_state go_backwards stateful unroll zero_output_for_mask units"

-- The first keys of a class after its base's, if Keras's order differs from that of its arguments.
local orders = {
  ["keras.layers"] = {
    MaxPooling1D = "pool_size padding strides", SeparableConv1D = "depth_multiplier filters",
    DepthwiseConv1D = "depth_multiplier",
    Dropout = "rate seed", AlphaDropout = "rate seed", Dense = "activity_regularizer",
    Embedding =
    "input_dim output_dim embeddings_initializer embeddings_regularizer activity_regularizer",
    LSTM = recurrent, SimpleRNN = recurrent, RNN = recurrent,
    GRU = recurrent .. " activation recurrent_activation use_bias kernel_initializer "
      .. "recurrent_initializer bias_initializer "
      .. "kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer "
        .. "kernel_constraint recurrent_constraint "
      .. "bias_constraint dropout recurrent_dropout reset_after",
  },
  ["keras.initializers"] = {
    RandomNormal = "seed", RandomUniform = "seed", TruncatedNormal = "seed",
    VarianceScaling = "seed", Orthogonal = "seed",
  },
}
local layer_orders = orders["keras.layers"]
for rank = 1, 3 do
  layer_orders[("MaxPooling%dD"):format(rank)] = layer_orders.MaxPooling1D
  layer_orders[("AveragePooling%dD"):format(rank)] = layer_orders.MaxPooling1D
end
layer_orders.SeparableConv2D, layer_orders.DepthwiseConv2D = layer_orders.SeparableConv1D,
  layer_orders.DepthwiseConv1D

local function set_of(names)
  local set = {}
  for name in names:gmatch "%S+" do set[name] = true end
  return set
end

-- Layers that count as built from the start, and store no shape.
local unbuilt =
  set_of("Activation Masking Dropout MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D "
    .. "AveragePooling2D "
  .. "AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    .. "GlobalAveragePooling1D GlobalAveragePooling2D "
  .. "GlobalAveragePooling3D SpatialDropout1D SpatialDropout2D SpatialDropout3D ReLU LeakyReLU "
    .. "ELU Softmax UnitNormalization "
  .. "ActivityRegularization Identity GaussianNoise GaussianDropout AlphaDropout InputLayer")

---------------------------------------------------------------- bringing a form there

local base = {"name", "trainable", "dtype"}

local function reorder(config, first)
  local keys, seen = {}, {}
  local function add(key)
    if config[key] ~= nil and not seen[key] then keys[#keys + 1], seen[key] = key, true end
  end
  for _, key in ipairs(base) do add(key) end
  for key in first:gmatch "%S+" do add(key) end
  for _, key in ipairs(ordered.keys(config)) do add(key) end
  return ordered.object(config, keys)
end

local function change_layer(node)
  if unbuilt[node.class_name] then node.build_config = nil end
end

local function change(node)
  local order = orders[node.module] and orders[node.module][node.class_name]
  if order then node.config = reorder(node.config, order) end
  if node.module == "keras.layers" then change_layer(node) end
end

--- Converts a tree of serialised objects to Keras 3's form.
-- @param tree as returned by `registry.serialize`; modified
-- @return the tree
function keras3.of(tree)
  if not is_plain(tree) then return tree end
  for _, item in pairs(tree) do
    if is_plain(item) then keras3.of(item) end
  end
  if type(tree.class_name) == "string" and is_plain(tree.config) then change(tree) end
  return tree
end

return keras3
