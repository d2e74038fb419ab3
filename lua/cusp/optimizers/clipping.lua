--- Gradient clipping.
-- @module cusp.optimizers.clipping
local ops = require "cusp.ops"
local sharding = require "cusp.base.sharding"

local clipping = {}

local function by_norm(gradient, variable, limit)
  local norm = ops.sqrt(sharding.total(variable, ops.sum(ops.square(gradient))))
  return gradient * limit / ops.maximum(norm, limit)
end

local function by_global_norm(gradients, variables, limit)
  local total
  for i, gradient in ipairs(gradients) do
    local squares = sharding.total(variables[i], ops.sum(ops.square(gradient)))
    total = total == nil and squares or total + squares
  end
  local norm = ops.sqrt(total)
  -- A norm that is not finite makes the result not finite, so that the problem stays visible.
  local scale = ops.minimum(1 / norm, 1 / limit) * limit + (norm - norm)
  local result = {}
  for i, gradient in ipairs(gradients) do result[i] = gradient * ops.cast(scale, gradient.dtype) end
  return result
end

--- Clips by an optimizer's `clipnorm`, `global_clipnorm` or `clipvalue`.
-- @tparam table settings the optimizer
-- @tparam {tensor,...} gradients
-- @tparam {Variable,...} variables that they belong to
-- @treturn {tensor,...}
function clipping.clip(settings, gradients, variables)
  local clipnorm, global, value = settings.clipnorm, settings.global_clipnorm, settings.clipvalue
  if global and global > 0 then return by_global_norm(gradients, variables, global) end
  if not (clipnorm and clipnorm > 0 or value and value > 0) then return gradients end
  local result = {}
  for i, gradient in ipairs(gradients) do
    if clipnorm and clipnorm > 0 then result[i] = by_norm(gradient, variables[i], clipnorm)
    else result[i] = ops.clip(gradient, -value, value) end
  end
  return result
end

return clipping
