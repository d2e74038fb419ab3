--- Layers: `cusp.layers`.
-- @module cusp.layers
local namespace = require "cusp.base.namespace"

-- Wing → its list of files: a file returns its class, or a table of several classes by name.
local wings = {
  machinery = require "cusp.layers.machinery",
  core = require "cusp.layers.core",
  activations = require "cusp.layers.activations",
  convolution = require "cusp.layers.convolution",
  pooling = require "cusp.layers.pooling",
  normalization = require "cusp.layers.normalization",
  regularization = require "cusp.layers.regularization",
  reshaping = require "cusp.layers.reshaping",
  merging = require "cusp.layers.merging",
  recurrent = require "cusp.layers.recurrent",
  attention = require "cusp.layers.attention",
  preprocessing = require "cusp.layers.preprocessing",
  image = require "cusp.layers.image",
}

local members = {}
for wing, files in pairs(wings) do
  for file, names in pairs(files) do
    local path, several = wing .. "." .. file, names:find " "
    for name in names:gmatch "%S+" do members[name] = several and {path, name} or path end
  end
end
members.GroupedQueryAttention = members.GroupQueryAttention

-- Keras's other names for some of them.
local aliases = {}
for name, other in pairs{
  MaxPool = "MaxPooling", AvgPool = "AveragePooling", GlobalMaxPool = "GlobalMaxPooling",
  GlobalAvgPool = "GlobalAveragePooling",
  Convolution = "Conv", SeparableConvolution = "SeparableConv",
  DepthwiseConvolution = "DepthwiseConv",
} do
  for rank = 1, 3 do
    local target = ("%s%dD"):format(other, rank)
    if members[target] then aliases[("%s%dD"):format(name, rank)] = target end
  end
end
for rank = 1, 3 do
  aliases[("Convolution%dDTranspose"):format(rank)] = ("Conv%dDTranspose"):format(rank)
end
for name, target in pairs(aliases) do members[name] = members[target] end

local layers = namespace.new("cusp.layers", members)

--- The input of a functional model; see `cusp.Input`.
function layers.Input(...)
  return require("cusp.symbolic.tensors").input(...)
end

return namespace.of_objects(layers, {what = "layer", module = "keras.layers", aliases = aliases})
