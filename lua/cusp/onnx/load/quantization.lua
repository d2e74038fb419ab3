--- Quantized operators, by the arithmetic that they stand for.
-- @module cusp.onnx.load.quantization
local dtypes = require "cusp.onnx.messages.dtypes"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"
local windows = require "cusp.onnx.load.windows"

local operators = {}

local ranges = {uint8 = {0, 255}, int8 = {-128, 127}, uint16 = {0, 65535},
  int16 = {-32768, 32767}, int32 = {-2147483648, 2147483647}}

-- The scale as it broadcasts against x: one, one for each of an axis, or one for each block.
local function spread(node, value, x)
  if #value.shape == 0 then return value end
  if #value.shape == 1 and value.shape[1] == 1 then return ops.reshape(value, {}) end
  local axis = values.position(node.a.axis or 1, #x.shape)
  local block = node.a.block_size or 0
  if #value.shape == 1 and block == 0 then
    local shape = values.fill(#x.shape, 1)
    shape[axis] = value.shape[1]
    return ops.reshape(value, shape)
  end
  if #value.shape ~= #x.shape then
    errors.raise("a scale of shape %s does not fit x of shape %s", errors.shape(value.shape),
      errors.shape(x.shape))
  end
  if block == 0 then block = math.ceil(x.shape[axis] / value.shape[axis]) end
  local indices = {}
  for i = 0, x.shape[axis] - 1 do indices[i + 1] = i // block end
  return ops.take(value, values.integers(indices), axis)
end

local function quantize(x, scale, zero, dtype)
  local range = ranges[dtype]
    or errors.raise("quantization to %s is not among Cusp's dtypes", dtype)
  local rounded = ops.round(ops.divide(x, scale))
  if zero then rounded = ops.add(rounded, ops.cast(zero, rounded.dtype)) end
  return ops.cast(ops.clip(rounded, range[1], range[2]), dtype)
end

function operators.QuantizeLinear(node, x, scale, zero)
  local dtype = zero and zero.dtype
  if not dtype then
    local number = node.a.output_dtype or 0
    local name, foreign = dtypes.name(number == 0 and 2 or number)
    dtype = name or errors.raise("elements of %s are not among Cusp's dtypes", foreign)
  end
  if not values.is_float(x.dtype) then x = ops.cast(x, "float32") end
  return quantize(x, values.cast(spread(node, scale, x), x.dtype), zero and spread(node, zero, x),
    dtype)
end

function operators.DequantizeLinear(node, x, scale, zero)
  local wide = ops.cast(x, "float32")
  if zero then wide = ops.subtract(wide, ops.cast(spread(node, zero, x), "float32")) end
  local dtype = scale.dtype
  if (node.a.output_dtype or 0) ~= 0 then dtype = dtypes.name(node.a.output_dtype) end
  return values.cast(ops.multiply(wide, ops.cast(spread(node, scale, x), "float32")), dtype)
end

function operators.DynamicQuantizeLinear(_, x)
  local low, high = ops.minimum(ops.amin(x), 0.0), ops.maximum(ops.amax(x), 0.0)
  local scale = ops.divide(ops.subtract(high, low), 255.0)
  local zero = ops.cast(ops.clip(ops.round(ops.divide(ops.negative(low), scale)), 0, 255), "uint8")
  return quantize(x, scale, zero, "uint8"), scale, zero
end

---------------------------------------------------------------- products

local function lowered(x, zero, axis)
  local wide = ops.cast(x, "float64")
  if not zero then return wide end
  zero = ops.cast(zero, "float64")
  if #zero.shape == 1 and zero.shape[1] > 1 then
    local shape = values.fill(#x.shape, 1)
    shape[axis] = zero.shape[1]
    zero = ops.reshape(zero, shape)
  elseif #zero.shape == 1 then
    zero = ops.reshape(zero, {})
  end
  return ops.subtract(wide, zero)
end

function operators.MatMulInteger(_, a, b, a_zero, b_zero)
  return ops.cast(ops.matmul(lowered(a, a_zero, #a.shape - 1), lowered(b, b_zero, #b.shape)),
    "int32")
end

local function scalar_scale(scale) return ops.cast(scale, "float64") end

function operators.QLinearMatMul(_, a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)
  local product = ops.matmul(lowered(a, a_zero, #a.shape - 1), lowered(b, b_zero, #b.shape))
  local real = ops.multiply(product, ops.multiply(scalar_scale(a_scale), scalar_scale(b_scale)))
  return quantize(real, scalar_scale(y_scale), y_zero, y_zero.dtype)
end

function operators.ConvInteger(node, x, w, x_zero, w_zero)
  return ops.cast(windows.Conv(node, lowered(x, x_zero, 2), lowered(w, w_zero, 1)), "int32")
end

function operators.QLinearConv(node, x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias)
  local sums = windows.Conv(node, lowered(x, x_zero, 2), lowered(w, w_zero, 1),
    bias and ops.cast(bias, "float64"))
  local scale = ops.multiply(scalar_scale(x_scale), scalar_scale(w_scale))
  if #scale.shape == 1 then
    scale = ops.reshape(scale, {1, -1, table.unpack(values.fill(#x.shape - 2, 1))})
  end
  return quantize(ops.multiply(sums, scale), scalar_scale(y_scale), y_zero, y_zero.dtype)
end

return operators
