--- Rounding to the values that integers would stand for, in floating point: for training that gets
-- used to it.
-- @module cusp.quantizers.fake_quantization
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local ops = require "cusp.ops"

local fake_quantization = {}

-- The ends of the range, moved so that 0 is one of its values, and the step between values.
local function nudge(low, high, num_bits, narrow_range)
  local least, most = narrow_range and 1 or 0, (1 << num_bits) - 1
  local range = ops.subtract(high, low)
  local scale = ops.divide(range, most - least)
  local zero = ops.round(ops.clip(ops.subtract(least, ops.divide(low, scale)), least, most))
  return {
    low = ops.multiply(ops.subtract(least, zero), scale),
    high = ops.multiply(ops.subtract(most, zero), scale),
    scale = scale, inverse = ops.divide(most - least, range),
  }
end

local function round(x, range)
  local zero = ops.floor(ops.add(ops.multiply(ops.negative(range.low), range.inverse), 0.5))
  local shifted = ops.subtract(ops.clip(x, range.low, range.high), range.low)
  local steps = ops.subtract(ops.multiply(shifted, range.inverse), zero)
  return ops.multiply(ops.floor(ops.add(steps, 0.5)), range.scale)
end

-- What flows past an end of the range belongs to that end.
local function gradient_of_end(upstream, mask, of, axis)
  local masked = ops.where(mask, upstream, 0)
  local axes = {}
  for i = 1, #masked.shape do
    if i ~= axis then axes[#axes + 1] = i end
  end
  local total = axis and ops.sum(masked, {axis = axes}) or ops.sum(masked)
  return ops.reshape(total, of.shape)
end

local bind = arguments.binder("fake_quant_with_min_max_vars", {
  {"inputs", "any"}, {"min_vals", "any"}, {"max_vals", "any"},
  {"num_bits", "integer", default = 8, min = 1, max = 16},
  {"narrow_range", "boolean", default = false}, {"axis", "axis", optional = true},
}, false)

--- Rounds a tensor to the values of integers between `min_vals` and `max_vals`. Gradients pass
-- where values are within, and go to the end of the range that is met where not.
-- @tparam tensor inputs
-- @tparam tensor min_vals a scalar, or one for each position along the axis
-- @tparam tensor max_vals
-- @tparam[opt=8] integer num_bits
-- @tparam[opt=false] boolean narrow_range leave the least integer out
-- @tparam[opt] integer axis along which the ranges differ
-- @treturn tensor
function fake_quantization.fake_quant_with_min_max_vars(...)
  local inputs, min_vals, max_vals, num_bits, narrow_range, axis = bind(...)
  inputs = define.tensor(inputs)
  if axis then
    define.check_axis("fake_quant_with_min_max_vars", axis, inputs)
    if axis < 0 then axis = #inputs.shape + 1 + axis end
  end
  return ops.custom_gradient(function(x, low, high)
    local range = nudge(ops.cast(low, "float32"), ops.cast(high, "float32"), num_bits,
      narrow_range)
    local inside = ops.logical_and(ops.greater_equal(x, range.low), ops.less_equal(x, range.high))
    return ops.cast(round(ops.cast(x, "float32"), range), x.dtype), function(upstream)
      return ops.where(inside, upstream, 0),
        gradient_of_end(upstream, ops.less_equal(x, range.low), low, axis),
        gradient_of_end(upstream, ops.greater_equal(x, range.high), high, axis)
    end
  end)(inputs, define.tensor(min_vals), define.tensor(max_vals))
end

return fake_quantization
