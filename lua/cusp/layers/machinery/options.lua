--- Rows of declared configurations that many layers share.
-- @module cusp.layers.machinery.options

local Object = require "cusp.base.class"
local kinds = require "cusp.base.kinds"

local options = {}

-- Where the channels are: given, or the global setting at the time the layer is made.
kinds.define("data_format", {
  resolves_default = true,
  check = function(value)
    if value == "default" then return true, require("cusp.base.config").image_data_format() end
    return value == "channels_last" or value == "channels_first"
  end,
  expects = '"channels_last" or "channels_first"',
})

--- `kernel_initializer` and the like.
function options.initializer(name, default)
  return {name .. "_initializer", "initializer", default = default}
end
function options.regularizer(name, omit_default)
  return {name .. "_regularizer", "regularizer", optional = true, omit_default = omit_default}
end
function options.constraint(name) return {name .. "_constraint", "constraint", optional = true} end
function options.activation(name, default)
  return {name or "activation", "activation", default = default or "linear"}
end
function options.flag(name, default) return {name, "boolean", default = default} end
function options.seed(omit_default)
  return {"seed", "integer", optional = true, omit_default = omit_default}
end
function options.data_format() return {"data_format", "data_format", default = "default"} end

kinds.define("quantization", {
  check = function(value)
    local quantizers = require "cusp.quantizers"
    if kinds.is_plain(value) and value.class_name then value = quantizers.deserialize(value) end
    return Object.is_instance(value, quantizers.QuantizationConfig), value
  end,
  expects = "a configuration such as cusp.quantizers.Int8QuantizationConfig()",
  to_config = function(value) return require("cusp.quantizers").serialize(value) end,
})

--- Of a layer that can be quantized: how it is.
function options.quantization()
  return {"quantization_config", "quantization", optional = true, keyword_only = true}
end

--- One of several lists of rows after another.
function options.join(...)
  local result = {}
  for _, rows in ipairs{...} do table.move(rows, 1, #rows, #result + 1, result) end
  return result
end

--- The arguments of `add_weight` for a weight with an initializer, a regularizer and a constraint
-- among the layer's fields.
-- @tparam Layer layer
-- @tparam string name of the weight
-- @tparam table shape
-- @tparam[opt] string prefix of the fields, by default the name
function options.weight(layer, name, shape, prefix)
  prefix = prefix or name
  return layer:add_weight{
    name = name, shape = shape, initializer = layer[prefix .. "_initializer"],
    regularizer = layer[prefix .. "_regularizer"],
    constraint = layer[prefix .. "_constraint"],
  }
end

--- Whether the layer's inputs have their channels in the second axis.
function options.channels_first(layer)
  return layer.data_format == "channels_first"
end

return options
