--- Activation functions that no operation implements under the same name and with the same
-- defaults.
-- @module cusp.activations.functions
local arguments = require "cusp.base.arguments"
local ops = require "cusp.ops"

local functions = {}

local bind_relu = arguments.binder("relu",
  "x, negative_slope: float = 0.0, max_value: float = nil, threshold: float = 0.0")

--- Rectified linear unit: 0 below `threshold`, at most `max_value`.
-- `x` where `threshold <= x < max_value`, `max_value` above, `negative_slope * (x - threshold)`
-- below.
-- @tparam tensor x
-- @tparam[opt=0] number negative_slope
-- @tparam[opt] number max_value
-- @tparam[opt=0] number threshold
-- @treturn tensor of the shape of x
function functions.relu(...)
  local x, negative_slope, max_value, threshold = bind_relu(...)
  if negative_slope == 0 and not max_value and threshold == 0 then return ops.relu(x) end
  if not max_value and threshold == 0 then return ops.leaky_relu(x, negative_slope) end
  local result = threshold == 0 and ops.relu(x) or ops.where(ops.greater(x, threshold), x, 0.0)
  if max_value then result = ops.clip(result, 0, max_value) end
  if negative_slope == 0 then return result end
  return ops.subtract(result, ops.multiply(ops.relu(ops.subtract(threshold, x)), negative_slope))
end

--- The hard sigmoid of Keras 2, `clip(0.2 x + 0.5, 0, 1)`: the meaning of "hard_sigmoid" in its
-- files.
-- @tparam tensor x
-- @treturn tensor of the shape of x
function functions.keras2_hard_sigmoid(x)
  return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0, 1)
end

local bind_gelu = arguments.binder("gelu", "x, approximate: bool = false")

--- Gaussian error linear unit; exact unless `approximate` (the operation `cusp.ops.gelu`
-- approximates by default).
-- @tparam tensor x
-- @tparam[opt=false] boolean approximate by tanh
-- @treturn tensor
function functions.gelu(...)
  local x, approximate = bind_gelu(...)
  return ops.gelu(x, approximate)
end

--- The identity.
function functions.linear(x) return x end

--- `exp(x)`
function functions.exponential(x) return ops.exp(x) end

--- `x * tanh(softplus(x))`. Misra, "Mish: a self regularized non-monotonic activation function"
-- (2019).
function functions.mish(x) return ops.multiply(x, ops.tanh(ops.softplus(x))) end

return functions
