--- Embeddings whose table holds integers.
-- @module cusp.layers.core.quantized_table
local AbsMaxQuantizer = require("cusp.quantizers.abs_max_quantizer").AbsMaxQuantizer
local grouped = require "cusp.quantizers.grouped"
local int4 = require "cusp.quantizers.int4"
local kernel_geometry = require "cusp.layers.core.kernel_geometry"
local ops = require "cusp.ops"
local quantized_kernel = require "cusp.layers.core.quantized_kernel"
local quantizing = require "cusp.layers.machinery.quantizing"
local QuantizationConfig = require("cusp.quantizers.quantization_config").QuantizationConfig

local quantized_table = {}

local ranges = {int8 = {-127, 127}, int4 = {-8, 7}}

local function stored(layer) return rawget(layer, "_embeddings") or rawget(layer, "embeddings") end

---------------------------------------------------------------- values

-- Integers, scales and zeros of a matrix whose columns each have a scale.
local function quantize_columns(matrix, mode, config, block_size)
  if mode == "int4" and block_size then
    return grouped.abs_max_quantize_grouped_with_zero_point{matrix, block_size, to_numpy = true}
  end
  local quantizer = QuantizationConfig.weight_quantizer_or_default(config,
    AbsMaxQuantizer{axis = 1, value_range = ranges[mode]})
  local integers, scale = quantizer(matrix)
  return integers, ops.squeeze(scale, 1)
end

-- The same where its rows do.
local function quantize_rows(matrix, mode, config, block_size)
  if mode == "int4" and block_size then
    local integers, scale, zero = quantize_columns(ops.transpose(matrix), mode, nil, block_size)
    return ops.transpose(integers), ops.transpose(scale), ops.transpose(zero)
  end
  local quantizer = QuantizationConfig.weight_quantizer_or_default(config,
    AbsMaxQuantizer{axis = -1, value_range = ranges[mode]})
  local integers, scale = quantizer(matrix)
  return integers, ops.squeeze(scale, 2)
end

local function packed(integers, mode, axis)
  return mode == "int4" and (int4.pack_int4(integers, axis)) or integers
end

local function values_of(layer, mode, matrix, config)
  local integers, scale, zero = quantize_rows(matrix, mode, config,
    quantizing.block_size(layer, config))
  return {embeddings = packed(integers, mode, -1), embeddings_scale = scale, embeddings_zero = zero}
end

--- The weights of a mode, by name, from those that the layer has.
function quantized_table.quantized_values(layer, mode, config)
  local values = values_of(layer, mode, stored(layer).value, config)
  local reverse = rawget(layer, "reverse_embeddings")
  if not reverse then return values end
  local integers, scale, zero = quantize_columns(reverse.value, mode, config,
    quantizing.block_size(layer, config))
  values.reverse_embeddings, values.reverse_embeddings_scale = packed(integers, mode, 1), scale
  values.reverse_embeddings_zero = zero and ops.cast(zero, layer.dtype)
  return values
end

---------------------------------------------------------------- variables

local function build_table(layer, mode, block_size)
  local rows, columns = layer.input_dim, layer.output_dim
  local width = mode == "int4" and (columns + 1) // 2 or columns
  local name = mode == "int4" and "_embeddings" or "embeddings"
  layer[name] = quantizing.add_integers(layer, "embeddings", {rows, width})
  local shape = {rows, block_size and (columns + block_size - 1) // block_size}
  layer.embeddings_scale = quantizing.add_scale(layer, "embeddings_scale", shape)
  if not block_size then return end
  layer.embeddings_zero = quantizing.add_integers(layer, "embeddings_zero", shape)
  layer.g_idx = quantizing.add_groups(layer, columns, block_size)
end

local function build_reverse(layer, mode, block_size)
  local rows, columns = layer.output_dim, layer.input_dim
  local height = mode == "int4" and (rows + 1) // 2 or rows
  layer.reverse_embeddings = quantizing.add_integers(layer, "reverse_embeddings",
    {height, columns})
  local shape = {columns}
  if block_size then shape = {(rows + block_size - 1) // block_size, columns} end
  layer.reverse_embeddings_scale = quantizing.add_scale(layer, "reverse_embeddings_scale", shape)
  if not block_size then return end
  layer.reverse_embeddings_zero = layer:add_weight{name = "reverse_embeddings_zero", shape = shape,
    initializer = "zeros", trainable = false}
end

local builders = {}

for mode in pairs(ranges) do
  builders[mode] = function(layer, _, config)
    local block_size = mode == "int4" and quantizing.block_size(layer, config) or nil
    build_table(layer, mode, block_size)
    if layer.tie_weights == nil then return end
    layer.inputs_quantizer = QuantizationConfig.activation_quantizer_or_default(config,
      AbsMaxQuantizer())
    if not layer.tie_weights then build_reverse(layer, mode, block_size) end
  end
end

--- Makes the variables of a mode.
function quantized_table.quantized_build(layer, shape, mode, config)
  quantizing.build(layer, builders, shape, mode, config)
end

---------------------------------------------------------------- calling

local function is_int4(layer) return layer.__own.policy.mode == "int4" end

-- What rows of the table stand for.
local function rows_of(layer, integers, scale, zero)
  local dtype = layer.compute_dtype
  if is_int4(layer) then integers = int4.unpack_int4(integers, layer.output_dim, -1) end
  integers = ops.cast(integers, dtype)
  if zero then return grouped.dequantize(integers, scale, zero, layer.g_idx, -1) end
  scale = ops.expand_dims(scale, -1)
  return ops.divide(integers, scale.dtype == dtype and scale or ops.cast(scale, dtype))
end

--- The vectors of integers.
-- @tparam table layer
-- @tparam tensor inputs
-- @treturn tensor
function quantized_table.look_up(layer, inputs)
  local zero = layer.embeddings_zero and ops.take(layer.embeddings_zero, inputs, 1)
  local outputs = rows_of(layer, ops.take(stored(layer), inputs, 1),
    ops.take(layer.embeddings_scale, inputs, 1), zero)
  if not layer.lora_enabled then return outputs end
  local learned = ops.matmul(ops.take(layer.lora_embeddings_a, inputs, 1), layer.lora_embeddings_b)
  return ops.cast(ops.add(outputs, learned * (layer.lora_alpha / layer.lora_rank)),
    layer.compute_dtype)
end

-- The integers of the reverse product, `[output_dim, input_dim]`, their scales and zeros.
local function reverse_parts(layer)
  local integers, scale, zero
  if layer.tie_weights then
    integers, scale, zero = stored(layer).value, layer.embeddings_scale.value, layer.embeddings_zero
    if is_int4(layer) then integers = int4.unpack_int4(integers, layer.output_dim, -1) end
    integers = ops.transpose(integers)
    if zero then scale, zero = ops.transpose(scale), ops.transpose(zero) end
    return integers, scale, zero
  end
  integers, scale = layer.reverse_embeddings.value, layer.reverse_embeddings_scale.value
  if is_int4(layer) then integers = int4.unpack_int4(integers, layer.output_dim, 1) end
  return integers, scale, layer.reverse_embeddings_zero
end

local function multiply(layer, inputs, integers, scale)
  local dtype, quantizer = inputs.dtype, layer.inputs_quantizer
  if scale.dtype ~= dtype then scale = ops.cast(scale, dtype) end
  if not quantizer then
    return ops.divide(ops.matmul(inputs, ops.cast(integers, dtype)), scale)
  end
  local geometry = kernel_geometry.dense(layer.output_dim, layer.input_dim)
  return quantized_kernel.multiply(geometry, inputs, integers, scale, quantizer, function()
    return ops.divide(ops.cast(integers, dtype), scale)
  end)
end

--- The scores of vectors. As those of a quantized Dense, their gradient passes the rounding.
-- @tparam table layer
-- @tparam tensor inputs
-- @treturn tensor
function quantized_table.reverse(layer, inputs)
  local integers, scale, zero = reverse_parts(layer)
  if not zero then return multiply(layer, inputs, integers, scale) end
  local matrix = grouped.dequantize(ops.cast(integers, inputs.dtype), scale, zero, layer.g_idx, 1)
  return ops.matmul(inputs, ops.cast(matrix, inputs.dtype))
end

--- The table of integers, of 4 bits too.
function quantized_table.unpacked_embeddings(layer)
  return int4.unpack_int4(layer._embeddings.value, layer.output_dim, -1)
end

---------------------------------------------------------------- files

-- The table with what was learned added, quantized anew.
local function merged_values(layer)
  local matrix = rows_of(layer, stored(layer).value, layer.embeddings_scale.value,
    layer.embeddings_zero)
  local learned = ops.matmul(layer.lora_embeddings_a, layer.lora_embeddings_b)
    * (layer.lora_alpha / layer.lora_rank)
  return values_of(layer, layer.__own.policy.mode, ops.add(matrix, learned), nil)
end

--- What a file keeps, in order: variables, and the values in their place.
-- @treturn {{Variable,tensor},...}
function quantized_table.quantized_entries(layer)
  local values = layer.lora_enabled and merged_values(layer) or {}
  local list = {{stored(layer), values.embeddings or stored(layer)}}
  for _, name in ipairs{"embeddings_scale", "embeddings_zero", "g_idx", "reverse_embeddings",
    "reverse_embeddings_scale", "reverse_embeddings_zero"} do
    local variable = rawget(layer, name)
    if variable then list[#list + 1] = {variable, values[name] or variable} end
  end
  return list
end

return quantized_table
