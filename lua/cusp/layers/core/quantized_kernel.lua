--- Layers that multiply by a kernel of integers.
-- @module cusp.layers.core.quantized_kernel
local AbsMaxQuantizer = require("cusp.quantizers.abs_max_quantizer").AbsMaxQuantizer
local engine = require "cusp.engine"
local float8_kernel = require "cusp.layers.core.float8_kernel"
local grouped = require "cusp.quantizers.grouped"
local int4 = require "cusp.quantizers.int4"
local ops = require "cusp.ops"
local quantizing = require "cusp.layers.machinery.quantizing"
local QuantizationConfig = require("cusp.quantizers.quantization_config").QuantizationConfig

local quantized_kernel = {}

local int4_range = {-8, 7}

local function prepare(layer)
  local own = layer.__own
  own.geometry = own.geometry or layer:kernel_geometry()
end

-- The kernel that the layer has, whether or not it is adapted or packed.
local function stored(layer) return rawget(layer, "_kernel") or rawget(layer, "kernel") end

---------------------------------------------------------------- values

local function quantizer_of_weights(config, axes, range)
  return QuantizationConfig.weight_quantizer_or_default(config,
    AbsMaxQuantizer{axis = axes, value_range = range})
end

-- A kernel of one row for each position that is summed, in 4 bits.
local function int4_values(geometry, kernel, config, block_size)
  local flat = ops.reshape(kernel, {geometry.rows, geometry.columns})
  local integers, scale, zero
  if block_size then
    integers, scale, zero = grouped.abs_max_quantize_grouped_with_zero_point{flat, block_size,
      to_numpy = true}
  else
    integers, scale = quantizer_of_weights(geometry.is_dense and config or nil, 1, int4_range)(flat)
    scale = ops.squeeze(scale, 1)
  end
  return {kernel = int4.pack_int4(integers, -1), kernel_scale = scale, kernel_zero = zero}
end

local function int8_values(geometry, kernel, config)
  local integers, scale = quantizer_of_weights(config, geometry.reduced, {-127, 127})(kernel)
  return {kernel = integers, kernel_scale = geometry.to_file(scale)}
end

local function values_of(layer, mode, kernel, config)
  local geometry = layer.__own.geometry
  if mode == "int8" then return int8_values(geometry, kernel, config) end
  return int4_values(geometry, kernel, config, quantizing.block_size(layer, config))
end

--- The weights of a mode, by name, from those that the layer has.
function quantized_kernel.quantized_values(layer, mode, config)
  prepare(layer)
  if mode == "float8" then return {} end
  return values_of(layer, mode, stored(layer).value, config)
end

---------------------------------------------------------------- variables

local builders = {}

function builders.int8(layer, _, config)
  local geometry = layer.__own.geometry
  layer.inputs_quantizer = QuantizationConfig.activation_quantizer_or_default(config,
    AbsMaxQuantizer())
  layer.kernel = quantizing.add_integers(layer, "kernel", geometry.shape)
  layer.kernel_scale = quantizing.add_scale(layer, "kernel_scale", geometry.scale_shape)
end

function builders.int4(layer, _, config)
  local geometry, block_size = layer.__own.geometry, quantizing.block_size(layer, config)
  layer.inputs_quantizer = QuantizationConfig.activation_quantizer_or_default(config, nil)
  layer._kernel = quantizing.add_integers(layer, "kernel",
    {geometry.rows, (geometry.columns + 1) // 2})
  local shape = {geometry.columns}
  if block_size then shape = {(geometry.rows + block_size - 1) // block_size, geometry.columns} end
  layer.kernel_scale = quantizing.add_scale(layer, "kernel_scale", shape)
  if not block_size then return end
  layer.kernel_zero = quantizing.add_integers(layer, "kernel_zero", shape)
  layer.g_idx = quantizing.add_groups(layer, geometry.rows, block_size)
end

builders.float8 = float8_kernel.build

--- Makes the variables of a mode.
function quantized_kernel.quantized_build(layer, shape, mode, config)
  prepare(layer)
  quantizing.build(layer, builders, shape, mode, config)
end

---------------------------------------------------------------- calling

local function unpacked(layer)
  return int4.unpack_int4(layer._kernel.value, layer.__own.geometry.columns, -1)
end

-- What the integers of 4 bits stand for, `[rows, columns]`.
local function int4_matrix(layer, dtype)
  local scale = layer.kernel_scale
  if not layer.g_idx then return ops.divide(ops.cast(unpacked(layer), dtype), scale) end
  return ops.cast(grouped.dequantize(unpacked(layer), scale, layer.kernel_zero, layer.g_idx, 1),
    dtype)
end

-- What the integers stand for, in the kernel's shape.
local function float_kernel(layer, dtype)
  local geometry = layer.__own.geometry
  if layer.__own.policy.mode == "int4" then
    return ops.reshape(int4_matrix(layer, dtype), geometry.shape)
  end
  return ops.divide(ops.cast(stored(layer), dtype), geometry.to_kernel(layer.kernel_scale))
end

local function is_plain(quantizer)
  if getmetatable(quantizer) ~= AbsMaxQuantizer then return false end
  local low, high = table.unpack(quantizer.value_range)
  return quantizer.output_dtype == "int8" and math.tointeger(low) and math.tointeger(high)
end

-- All at once: rows of inputs are quantized, multiplied, and the scales divided out.
local function multiply_flat(geometry, x, kernel, scale, quantizer)
  local shape = table.move(x.shape, 1, #x.shape - #geometry.input_axes, 1, {})
  local rows = ops.reshape(x, {-1, geometry.rows})
  local outputs = engine.ops.quantized_matmul(rows,
    ops.reshape(kernel, {geometry.rows, geometry.columns}), ops.reshape(scale, {geometry.columns}),
    {low = quantizer.value_range[1], high = quantizer.value_range[2], epsilon = quantizer.epsilon})
  if geometry.is_dense then
    shape[#shape + 1] = geometry.columns
  else
    table.move(geometry.shape, #geometry.reduced + 1, #geometry.shape, #shape + 1, shape)
  end
  return ops.reshape(outputs, shape)
end

--- Inputs, quantized, times integers; gradients pass as if neither were rounded.
-- @tparam table geometry
-- @tparam tensor x
-- @tparam tensor kernel
-- @tparam tensor scale of the kernel
-- @tparam Quantizer quantizer of the inputs
-- @tparam function matrix gives what the integers of the kernel stand for
-- @treturn tensor
function quantized_kernel.multiply(geometry, x, kernel, scale, quantizer, matrix)
  if geometry.is_flat and x.dtype == "float32" and is_plain(quantizer) then
    return multiply_flat(geometry, x, kernel, scale, quantizer)
  end
  return ops.custom_gradient(function(inputs)
    local integers, inputs_scale = quantizer(inputs, geometry.input_axes)
    local sums = ops.cast(geometry.multiply(integers, kernel), x.dtype)
    local both = ops.multiply(scale, geometry.to_output(inputs_scale))
    return ops.divide(sums, both), function(upstream)
      return geometry.go_back(upstream, matrix())
    end
  end)(x)
end

local products = {}

local function scale_in(layer, dtype)
  local scale = layer.kernel_scale.value
  return scale.dtype == dtype and scale or ops.cast(scale, dtype)
end

function products.int8(layer, x)
  local geometry, quantizer = layer.__own.geometry, layer.inputs_quantizer
  local scale = scale_in(layer, x.dtype)
  if not quantizer then
    return ops.divide(geometry.multiply(x, ops.cast(stored(layer), x.dtype)), scale)
  end
  return quantized_kernel.multiply(geometry, x, stored(layer).value, scale, quantizer, function()
    return float_kernel(layer, x.dtype)
  end)
end

-- As in Keras, an einsum takes what the kernel stands for, and integers of the inputs.
local function multiply_rounded(layer, x)
  local geometry = layer.__own.geometry
  return ops.custom_gradient(function(inputs)
    local integers, inputs_scale = layer.inputs_quantizer(inputs, geometry.input_axes)
    local kernel = float_kernel(layer, x.dtype)
    local sums = geometry.multiply(ops.cast(integers, x.dtype), kernel)
    return ops.divide(sums, geometry.to_output(inputs_scale)), function(upstream)
      return geometry.go_back(upstream, kernel)
    end
  end)(x)
end

function products.int4(layer, x)
  local geometry, quantizer = layer.__own.geometry, layer.inputs_quantizer
  if layer.g_idx or not quantizer and not geometry.is_dense then
    return geometry.multiply(x, float_kernel(layer, x.dtype))
  end
  if not geometry.is_dense then return multiply_rounded(layer, x) end
  local scale = scale_in(layer, x.dtype)
  if not quantizer then
    return ops.divide(geometry.multiply(x, ops.cast(unpacked(layer), x.dtype)), scale)
  end
  return quantized_kernel.multiply(geometry, x, unpacked(layer), scale, quantizer, function()
    return float_kernel(layer, x.dtype)
  end)
end

-- The product that low-rank adaptation adds.
local function adapted(layer, x, outputs)
  local product = layer.__own.geometry.multiply(x, layer.lora_kernel_a)
  product = ops.matmul(product, layer.lora_kernel_b)
  local sum = ops.add(outputs, product * (layer.lora_alpha / layer.lora_rank))
  return sum.dtype == x.dtype and sum or ops.cast(sum, x.dtype)
end

--- The layer's product, in its mode.
-- @tparam table layer
-- @tparam tensor x
-- @tparam ?boolean training
-- @treturn tensor
function quantized_kernel.product(layer, x, training)
  local mode = layer.__own.policy.mode
  if mode == "float8" then return float8_kernel.product(layer, x, training) end
  local outputs = products[mode](layer, x)
  return layer.lora_enabled and adapted(layer, x, outputs) or outputs
end

---------------------------------------------------------------- files

-- The weights with what was learned added, quantized anew.
local function merged_values(layer)
  local mode, dtype = layer.__own.policy.mode, layer.compute_dtype
  local learned = ops.matmul(layer.lora_kernel_a, layer.lora_kernel_b)
    * (layer.lora_alpha / layer.lora_rank)
  return values_of(layer, mode, ops.add(float_kernel(layer, dtype), learned), nil)
end

--- The layer's bias, as its mode adds it.
function quantized_kernel.bias(layer)
  return layer.__own.policy.mode == "float8" and float8_kernel.bias(layer) or layer.bias
end

--- What a file keeps, in order: variables, and the values in their place.
-- @treturn {{Variable,tensor},...}
function quantized_kernel.quantized_entries(layer)
  local values = layer.lora_enabled and merged_values(layer) or {}
  local list = {}
  local function add(name, variable)
    if variable then list[#list + 1] = {variable, values[name] or variable} end
  end
  add("kernel", stored(layer))
  add("bias", rawget(layer, "bias"))
  local names = {"kernel_scale", "kernel_zero", "g_idx"}
  if layer.__own.policy.mode == "float8" then names = float8_kernel.names() end
  for _, name in ipairs(names) do add(name, rawget(layer, name)) end
  return list
end

--- The kernel of integers of 4 bits, unpacked.
function quantized_kernel.unpacked_kernel(layer)
  return ops.reshape(unpacked(layer), layer.__own.geometry.shape)
end

return quantized_kernel
