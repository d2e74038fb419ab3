--- Products rounded to numbers of 8 bits, for training: inputs and kernel forward, the outputs'
-- gradient backward. Scales follow the greatest values of the last steps; what they become travels
-- as their gradient, which the optimizer puts in their place.
-- @module cusp.layers.core.float8_kernel
local errors = require "cusp.base.errors"
local float8 = require "cusp.quantizers.float8"
local ops = require "cusp.ops"

local float8_kernel = {}

local forward, backward = "float8_e4m3fn", "float8_e5m2"

-- A tensor that the layer rounds has a scale and a history.
local rounded = {"inputs", "kernel", "outputs_grad"}

local function add(layer, name, shape, initializer)
  layer[name] = layer:add_weight{name = name, shape = shape, initializer = initializer,
    dtype = "float32", autocast = false, overwrite_with_gradient = true}
end

--- Makes the scales and histories.
function float8_kernel.build(layer)
  for _, name in ipairs(rounded) do
    add(layer, name .. "_scale", {}, "ones")
    add(layer, name .. "_amax_history", {layer.__own.policy.history}, "zeros")
  end
end

--- The names of the variables that it makes.
-- @treturn {string,...}
function float8_kernel.names()
  local names = {}
  for _, name in ipairs(rounded) do
    names[#names + 1], names[#names + 2] = name .. "_scale", name .. "_amax_history"
  end
  return names
end

-- What scale and history become after a tensor.
local function after(x, scale, history, format)
  local largest = float8.formats[format].largest
  return float8.compute_float8_scale(ops.max(history), scale, largest),
    float8.compute_float8_amax_history(x, history)
end

-- x rounded; its gradient passes.
local function round(layer, name, x, dtype, training)
  return ops.custom_gradient(function(value, scale, history)
    local new_scale, new_history
    if training then new_scale, new_history = after(value, scale, history, forward) end
    local result = float8.quantize_and_dequantize(value, scale, forward, dtype)
    return result, function(upstream) return upstream, new_scale, new_history end
  end)(x, layer[name .. "_scale"], layer[name .. "_amax_history"])
end

-- x, whose gradient is rounded.
local function round_gradient(layer, x, dtype)
  return ops.custom_gradient(function(value, scale, history)
    return value, function(upstream)
      return float8.quantize_and_dequantize(upstream, scale, backward, dtype),
        after(upstream, scale, history, backward)
    end
  end)(x, layer.outputs_grad_scale, layer.outputs_grad_amax_history)
end

--- The product of a layer.
-- @tparam table layer
-- @tparam tensor x
-- @tparam ?boolean training
-- @treturn tensor
function float8_kernel.product(layer, x, training)
  if layer.lora_enabled then
    errors.raise("%s (%s): a layer quantized to \"float8\" cannot be adapted", layer.name,
      getmetatable(layer).__name)
  end
  local dtype = x.dtype
  local inputs = round(layer, "inputs", x, dtype, training)
  local kernel = round(layer, "kernel", layer.kernel, dtype, training)
  return round_gradient(layer, layer.__own.geometry.multiply(inputs, kernel), dtype)
end

--- A bias, which is added to float32 products as a bfloat16 one.
function float8_kernel.bias(layer)
  local bias = layer.bias
  if layer.compute_dtype ~= "float32" then return bias end
  return ops.cast(ops.cast(bias, "bfloat16"), "float32")
end

return float8_kernel
