--- Operators of the domain ai.onnx.preview.training: one step of an optimizer.
-- @module cusp.onnx.load.optimizers
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

-- Applies `step(rate, count, {x, gradient, states...})` to each of the tensors that come in groups.
local function each(size, step)
  return function(node, rate, count, ...)
    local inputs, results = {...}, {}
    local n = #inputs // size
    for i = 1, n do
      local group = {}
      for k = 1, size do group[k] = inputs[(k - 1) * n + i] end
      for k, value in ipairs(step(node, rate, count, group)) do
        results[(k - 1) * n + i] = values.cast(value, group[1].dtype)
      end
    end
    return table.unpack(results)
  end
end

local function regularized(node, group)
  return ops.add(ops.multiply(group[1], node.a.norm_coefficient or 0.0), group[2])
end

operators.Adagrad = each(3, function(node, rate, count, group)
  local x, gradient = group[1], regularized(node, group)
  local decayed = ops.divide(rate, ops.add(1.0, ops.multiply(ops.cast(count, rate.dtype),
    node.a.decay_factor or 0.0)))
  local squares = ops.add(group[3], ops.square(gradient))
  local divisor = ops.add(ops.sqrt(squares), node.a.epsilon or 1e-6)
  return {ops.subtract(x, ops.divide(ops.multiply(decayed, gradient), divisor)), squares}
end)

operators.Adam = each(4, function(node, rate, count, group)
  local a, x, gradient = node.a, group[1], regularized(node, group)
  local alpha, beta = a.alpha or 0.9, a.beta or 0.999
  local first = ops.add(ops.multiply(group[3], alpha), ops.multiply(gradient, 1 - alpha))
  local second = ops.add(ops.multiply(group[4], beta),
    ops.multiply(ops.square(gradient), 1 - beta))
  local t = ops.cast(count, "float32")
  local corrected = ops.divide(ops.multiply(rate, ops.sqrt(ops.subtract(1.0, ops.power(beta, t)))),
    ops.subtract(1.0, ops.power(alpha, t)))
  local adjusted = ops.where(ops.greater(count, 0), corrected, rate)
  local step = ops.divide(first, ops.add(ops.sqrt(second), a.epsilon or 1e-6))
  local new = ops.subtract(x, ops.multiply(adjusted, step))
  return {ops.multiply(new, 1 - (a.norm_coefficient_post or 0.0)), first, second}
end)

operators.Momentum = each(3, function(node, rate, count, group)
  local a, x, gradient = node.a, group[1], regularized(node, group)
  local beta = ops.where(ops.greater(count, 0), a.beta or 1.0, 1.0)
  local velocity = ops.add(ops.multiply(group[3], a.alpha or 0.9), ops.multiply(gradient, beta))
  local step = velocity
  if a.mode == "nesterov" then
    step = ops.add(gradient, ops.multiply(velocity, a.alpha or 0.9))
  end
  return {ops.subtract(x, ops.multiply(rate, step)), velocity}
end)

return operators
