--- Joins tensors along one axis: of `{[batch, 3], [batch, 5]}` makes `[batch, 8]`.
-- @classmod cusp.layers.Concatenate
-- @tparam[opt=-1] integer axis
-- @usage local both = layers.Concatenate(){a, b}
-- local stacked = layers.concatenate({a, b}, {axis = 2})
local Merge = require "cusp.layers.merging.merge"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local Concatenate = Merge:extend("Concatenate", {
  aligns_ranks = false,
  config = {{"axis", "axis", default = -1}},
})

function Concatenate:check_shapes(input_shapes)
  local first = input_shapes[1]
  local along = self.axis < 0 and #first + 1 + self.axis or self.axis
  for _, shape in ipairs(input_shapes) do
    local fits = #shape == #first
    for axis = 1, fits and #shape or 0 do
      local a, b = first[axis], shape[axis]
      fits = fits and (axis == along or a == b or a == shapes.None or b == shapes.None)
    end
    if not fits then
      errors.raise("the inputs should have the same shape but for axis %d, got %s", self.axis,
        structure.describe(input_shapes))
    end
  end
end

function Concatenate:merge(inputs)
  return ops.concatenate(inputs, self.axis)
end

--- Masks are joined as the tensors are; inputs without one count everywhere.
function Concatenate:compute_mask(inputs, mask)
  if not mask then return nil end
  local all, found = {}, false
  for i, tensor in ipairs(inputs) do
    local own = mask[i]
    found = found or own and true
    if not own then
      own = ops.ones_like(tensor, "bool")
    elseif own.ndim < tensor.ndim then
      own = ops.logical_or(ops.expand_dims(own, -1), ops.zeros_like(tensor, "bool"))
    end
    all[i] = own
  end
  return found and ops.any(ops.concatenate(all, self.axis), -1) or nil
end

return {Concatenate = Concatenate, concatenate = Concatenate:as_function()}
