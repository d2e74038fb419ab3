--- The steps of a sequence as a graph that is repeated: what computes a step is traced once.
-- @module cusp.layers.recurrent.steps
local ops = require "cusp.ops"
local traced_loops = require "cusp.ops.traced_loops"

local steps = {}

--- The batch of a sequence `[batch, time, ...]` and its steps in the other order.
function steps.swap(value)
  local axes = {2, 1}
  for axis = 3, value.ndim do axes[axis] = axis end
  return ops.transpose(value, axes)
end

---------------------------------------------------------------- losses

-- The layer and those below it: how many losses each has.
local function count_losses(layer, counts)
  if not layer.__is_layer or counts[layer] then return counts end
  counts[layer] = #(layer.__own.losses or {})
  for _, sublayer in ipairs(layer:sublayers()) do count_losses(sublayer, counts) end
  return counts
end

-- The losses that one step added to those counted, and where they are.
local function added_losses(counts)
  local losses, places = {}, {}
  for layer, count in pairs(counts) do
    local own = layer.__own.losses or {}
    for i = count + 1, #own do
      losses[#losses + 1], places[#places + 1] = own[i], {own, i}
    end
  end
  return losses, places
end

--- Runs a body for each step. What layers add to the loss in a step is the sum over all steps.
-- @tparam Layer layer that the body calls, or calls the layers below of
-- @param ... as `cusp.ops.traced_loops` has `scan`: options, body, carry, xs
-- @return what that returns
function steps.run(layer, options, body, carry, xs)
  local places
  local last, outputs, others = traced_loops.scan(options, function(...)
    local counts = count_losses(layer, {})
    local next_carry, output, more = body(...)
    local losses
    losses, places = added_losses(counts)
    return next_carry, {output = output, losses = losses}, more
  end, carry, xs)
  for i, place in ipairs(places) do place[1][place[2]] = ops.sum(outputs.losses[i]) end
  return last, outputs.output, others
end

return steps
