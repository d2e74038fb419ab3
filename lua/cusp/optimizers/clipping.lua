--- Gradient clipping.
-- @module cusp.optimizers.clipping
local ops = require "cusp.ops"

local clipping = {}

local function by_norm(gradient, limit)
  local norm = ops.sqrt(ops.sum(ops.square(gradient)))
  return gradient * limit / ops.maximum(norm, limit)
end

local function by_global_norm(gradients, limit)
  local total
  for _, gradient in ipairs(gradients) do
    local squares = ops.sum(ops.square(gradient))
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
-- @treturn {tensor,...}
function clipping.clip(settings, gradients)
  local clipnorm, global, value = settings.clipnorm, settings.global_clipnorm, settings.clipvalue
  if global and global > 0 then return by_global_norm(gradients, global) end
  if not (clipnorm and clipnorm > 0 or value and value > 0) then return gradients end
  local result = {}
  for i, gradient in ipairs(gradients) do
    if clipnorm and clipnorm > 0 then result[i] = by_norm(gradient, clipnorm)
    else result[i] = ops.clip(gradient, -value, value) end
  end
  return result
end

return clipping
