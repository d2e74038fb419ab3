--- Masks that travel with tensors: `[batch, time]` booleans that mark the valid steps. Tensors are
-- immutable, so masks are kept in a separate weak table and disappear with their tensors.
-- @module cusp.base.masks

local lists = require "cusp.base.lists"
local structure = require "cusp.base.structure"

local masks = {}
local attached = setmetatable({}, {__mode = "k"})
local any = false

--- The mask of a tensor, or nil.
function masks.get(tensor) return attached[tensor] end

--- Attaches a mask to a tensor (nil removes it).
function masks.set(tensor, mask)
  if mask then any = true end
  attached[tensor] = mask or nil
end

--- The masks of a structure of tensors, in the same form, with `false` for no mask; nil if there
-- are no masks at all.
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

--- A list of masks, with `false` for missing ones; the inputs determine its length.
function masks.without_holes(inputs, mask)
  if not structure.is_container(inputs) or not structure.is_container(mask)
    or not lists.hole(mask) then
    return mask
  end
  local result = {}
  for i = 1, #inputs do result[i] = mask[i] or false end
  return result
end

local function collect(mask, out)
  if not structure.is_container(mask) then
    out.n = out.n + 1
    out[out.n] = mask or nil
  elseif structure.is_list(mask) then
    for i = 1, #mask do collect(mask[i], out) end
  else
    for _, key in ipairs(structure.keys(mask)) do collect(mask[key], out) end
  end
  return out
end

--- Attaches each mask of a structure to the tensor at its position, like Keras; `false` means none.
-- A tensor that has a mask keeps it.
function masks.attach(outputs, mask)
  if not mask then return end
  local flat = collect(mask, {n = 0})
  for i, output in ipairs(structure.flatten(outputs)) do
    if flat[i] and not attached[output] then masks.set(output, flat[i]) end
  end
end

return masks
