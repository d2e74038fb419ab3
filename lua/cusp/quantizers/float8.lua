--- Numbers of 8 bits with an exponent: their rounding, and the scales that bring values into their
-- range.
-- @module cusp.quantizers.float8
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local ops = require "cusp.ops"

local float8 = {}

-- The greatest value, the bits behind the point, and the exponent of the least normal value.
local formats = {
  float8_e4m3fn = {largest = 448, bits = 3, least = -6},
  float8_e5m2 = {largest = 57344, bits = 2, least = -14},
}
float8.formats = formats

-- To the nearest value of the format, halves to even, within its range.
local function round(x, format)
  local dropped = 23 - format.bits
  local pattern = ops.view(x, "int32")
  local odd = ops.bitwise_and(ops.right_shift(pattern, dropped), 1)
  pattern = ops.add(pattern, ops.add(odd, (1 << dropped - 1) - 1))
  local normal = ops.view(ops.bitwise_and(pattern, -(1 << dropped)), "float32")
  -- below the normal values the steps are equal: adding a large number rounds to them
  local large = 1.5 * 2.0 ^ (23 + format.least - format.bits)
  local small = ops.subtract(ops.add(x, large), large)
  return ops.where(ops.less(ops.abs(x), 2.0 ^ format.least), small, normal)
end

local bind_round = arguments.binder("quantize_and_dequantize", {
  {"inputs", "any"}, {"scale", "any"},
  {"quantized_dtype", "choice", choices = {"float8_e4m3fn", "float8_e5m2"}},
  {"compute_dtype", "dtype"},
}, false)

--- Rounds `inputs / scale` to numbers of 8 bits, and multiplies by the scale again.
-- @tparam tensor inputs
-- @tparam tensor scale
-- @tparam string quantized_dtype "float8_e4m3fn" or "float8_e5m2"
-- @tparam string compute_dtype of the result
-- @treturn tensor
function float8.quantize_and_dequantize(...)
  local inputs, scale, quantized, dtype = bind_round(...)
  local format = formats[quantized]
  scale = ops.cast(define.tensor(scale), dtype)
  local x = ops.divide(define.tensor(inputs), scale)
  x = ops.cast(ops.clip(x, -format.largest, format.largest), "float32")
  return ops.multiply(ops.cast(round(x, format), dtype), scale)
end

local bind_scale = arguments.binder("compute_float8_scale", {
  {"amax", "any"}, {"scale", "any"}, {"dtype_max", "any"}, {"margin", "number", default = 0},
}, false)

--- The scale that brings values up to `amax` into the range of a format.
-- @tparam tensor amax the greatest absolute value of late
-- @tparam tensor scale what stays where `amax` is 0 or not finite
-- @tparam number|tensor dtype_max the format's greatest value
-- @tparam[opt=0] number margin powers of 2 to leave free
-- @treturn tensor
function float8.compute_float8_scale(...)
  local amax, scale, largest, margin = bind_scale(...)
  amax, scale = define.tensor(amax), ops.reciprocal(define.tensor(scale))
  local factor = ops.divide(ops.divide(largest, amax), 2.0 ^ margin)
  factor = ops.where(ops.greater(amax, 0), factor, scale)
  factor = ops.where(ops.isfinite(amax), factor, scale)
  return ops.reciprocal(factor)
end

local bind_history = arguments.binder("compute_float8_amax_history", {
  {"x", "any"}, {"amax_history", "any"},
}, false)

--- A history of greatest absolute values after one more tensor, whose value comes first.
-- @tparam tensor x
-- @tparam tensor amax_history
-- @treturn tensor
function float8.compute_float8_amax_history(...)
  local x, history = bind_history(...)
  x, history = define.tensor(x), define.tensor(history)
  local top = ops.reshape(ops.cast(ops.max(ops.abs(x)), history.dtype), {1})
  return ops.scatter_update(ops.roll(history, -1), {{0}}, top)
end

return float8
