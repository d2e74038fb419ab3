--- Gives the inputs another shape: `[batch, ...]` becomes `[batch, target_shape...]`.
-- @classmod cusp.layers.Reshape
-- @tparam {integer,...} target_shape without the batch axis; one size may be -1, which is found
-- from the others
-- @usage local layer = layers.Reshape{-1, 4}
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

local function product_of_known(shape, first)
  local product = 1
  for axis = first, #shape do
    if shape[axis] == shapes.None then return nil end
    if shape[axis] ~= -1 then product = product * shape[axis] end
  end
  return product
end

--- The target with its -1 found, `None` where the input's size is unknown.
local function resolve(self, input_shape)
  local target = table.move(self.target_shape, 1, #self.target_shape, 1, {})
  local size, known = product_of_known(input_shape, 2), product_of_known(target, 1)
  local open
  for axis, want in ipairs(target) do
    if want == -1 then open = axis end
  end
  if size and (open and (known == 0 or size % known ~= 0) or not open and size ~= known) then
    errors.raise("cannot reshape %s to %s: the number of elements differs",
      errors.shape{table.unpack(input_shape, 2)},
      errors.shape(self.target_shape))
  end
  if open then target[open] = size and size // known or shapes.None end
  return target
end

return Layer:extend("Reshape", {
  keeps_dtype = true,
  config = {{"target_shape", "shape"}},

  call = function(self, inputs)
    local shape = inputs.shape
    return ops.reshape(inputs, {shape[1], table.unpack(resolve(self, shape))})
  end,

  compute_output_shape = function(self, input_shape)
    return {input_shape[1], table.unpack(resolve(self, input_shape))}
  end,
})
