--- Masks that travel with tensors: `[batch, time]` booleans that say which steps count.
-- Tensors are values, so the mask is kept beside them, in a table that lets go of a mask when its tensor is gone.
-- @module cusp.layers.masks

local structure = require "cusp.models.structure"

local masks = {}
local attached = setmetatable({}, {__mode = "k"})
local any = false

--- The mask of a tensor, or nil.
function masks.get(tensor) return attached[tensor] end

--- Attaches a mask to a tensor (nil takes it away).
function masks.set(tensor, mask)
  if mask then any = true end
  attached[tensor] = mask or nil
end

--- The masks of a structure of tensors, in its form, `false` where there is none; nil if there is none at all.
function masks.of(inputs)
  if not any then return nil end
  if not structure.is_container(inputs) then return inputs ~= nil and attached[inputs] or nil end
  local found = false
  local result = structure.map(inputs, function(tensor)
    local mask = attached[tensor]
    found = found or mask ~= nil
    return mask or false
  end)
  return found and result or nil
end

--- Attaches each mask of a structure to the tensor at the same place; a single mask goes to a single tensor.
function masks.attach(outputs, mask)
  if not mask then return end
  if not structure.is_container(outputs) then
    if structure.is_container(mask) then mask = mask[1] end
    if mask then masks.set(outputs, mask) end
  elseif structure.is_container(mask) then
    for key, output in pairs(outputs) do
      if mask[key] then masks.attach(output, mask[key]) end
    end
  elseif outputs[1] then -- one mask for several outputs is the first one's
    masks.attach(outputs[1], mask)
  end
end

return masks
