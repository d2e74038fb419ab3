--- Layers that merge tensors of like shapes element by element: `Add`, `Subtract`, `Multiply`,
-- `Average`, `Maximum`, `Minimum`. Inputs: a list of tensors whose shapes broadcast; output: their
-- common shape. Each has a function: `layers.add{a, b}`.
-- @module cusp.layers.merging.merging
local Merge = require "cusp.layers.merging.merge"
local masks = require "cusp.base.masks"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local function fold(op)
  return function(_, inputs)
    local result = inputs[1]
    for i = 2, #inputs do result = op(result, inputs[i]) end
    return result
  end
end

--- A mask `[batch, time]` over all of `x`.
local function spread(mask, x)
  return ops.broadcast_to(ops.expand_dims(mask, -1), x.shape)
end

local function mask_of(mask, i) return mask and mask[i] or nil end

local function or_nil(a, b) return a and b and ops.logical_or(a, b) or nil end

local function attach(output, mask)
  if mask then masks.set(output, ops.any(mask, -1)) end
  return output
end

--- Masked steps count as 1; where no input has a step, the product is 0.
local function multiply(_, inputs, mask)
  local output, output_mask
  for i, x in ipairs(inputs) do
    local own = mask_of(mask, i)
    if own then
      own = spread(own, x)
      x = ops.where(own, x, ops.ones_like(x))
    end
    if i == 1 then output_mask = own else output_mask = or_nil(output_mask, own) end
    output = output and ops.multiply(output, x) or x
  end
  if output_mask then output = ops.where(output_mask, output, ops.zeros_like(output)) end
  return attach(output, output_mask)
end

--- Masked steps do not take part.
local function extreme(op)
  return function(_, inputs, mask)
    local output, output_mask = inputs[1], mask_of(mask, 1)
    if output_mask then output_mask = spread(output_mask, output) end
    for i = 2, #inputs do
      local x, own = inputs[i], mask_of(mask, i)
      if own then
        own = spread(own, x)
        x = ops.where(own, x, output)
      end
      if output_mask then output = ops.where(output_mask, output, x) end
      output_mask = or_nil(output_mask, own)
      output = op(output, x)
    end
    return attach(output, output_mask)
  end
end

local Add = Merge:extend("Add", {merge = fold(ops.add)})
local Subtract = Merge:extend("Subtract", {least = 2, merge = function(_, inputs)
  if #inputs ~= 2 then errors.raise("expected 2 inputs, got %d", #inputs) end
  return ops.subtract(inputs[1], inputs[2])
end})
local Multiply = Merge:extend("Multiply", {merge = multiply})
local Average = Merge:extend("Average", {merge = function(self, inputs)
  return ops.divide(fold(ops.add)(self, inputs), #inputs)
end})
local Maximum = Merge:extend("Maximum", {merge = extreme(ops.maximum)})
local Minimum = Merge:extend("Minimum", {merge = extreme(ops.minimum)})

return {
  Add = Add, Subtract = Subtract, Multiply = Multiply, Average = Average, Maximum = Maximum,
  Minimum = Minimum,
  add = Add:as_function(), subtract = Subtract:as_function(), multiply = Multiply:as_function(),
  average = Average:as_function(),
  maximum = Maximum:as_function(), minimum = Minimum:as_function(),
}
