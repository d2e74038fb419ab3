--- Reorders the axes of a sample: `layers.Permute{2, 1}` makes `[batch, 64, 10]` of `[batch, 10,
-- 64]`.
-- @classmod cusp.layers.Permute
-- @tparam {integer,...} dims the axes in their new order, counted from 1 without the batch axis (as
-- in Keras)
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local Permute = Layer:extend("Permute", {
  keeps_dtype = true,
  config = {{"dims", "integers", min = 1}},
})

function Permute:init(args)
  self:configure(args, Permute)
  Layer.init(self, args)
  if type(self.dims) == "number" then self.dims = {self.dims} end
  local seen = {}
  for _, axis in ipairs(self.dims) do seen[axis] = true end
  for axis = 1, #self.dims do
    if not seen[axis] then
      errors.raise("Permute: dims should hold each of 1 to %d once, got %s", #self.dims,
        errors.shape(self.dims))
    end
  end
  self.input_spec = {ndim = #self.dims + 1}
end

function Permute:call(inputs)
  local order = {1}
  for i, axis in ipairs(self.dims) do order[i + 1] = axis + 1 end
  return ops.transpose(inputs, order)
end

function Permute:compute_output_shape(input_shape)
  local shape = {input_shape[1]}
  for i, axis in ipairs(self.dims) do shape[i + 1] = input_shape[axis + 1] end
  return shape
end

return Permute
