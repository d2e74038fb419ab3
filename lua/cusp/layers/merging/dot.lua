--- The dot product of two tensors' samples along one axis of each.
-- For inputs `[batch, 3, 5]` and `[batch, 10, 3]` with `axes = {2, 3}` the output is `[batch, 5,
-- 10]`; for two of `[batch, n]`, `[batch, 1]`.
-- @classmod cusp.layers.Dot
-- @tparam integer|table axes one axis for both, or two; not the batch axis
-- @tparam[opt=false] boolean normalize divide by the lengths first: cosine similarity
local Merge = require "cusp.layers.merging.merge"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local Dot = Merge:extend("Dot", {
  least = 2,
  aligns_ranks = false,
  config = {{"axes", "axes"}, {"normalize", "boolean", default = false}},
})

local function axes_of(self, first, second)
  local axes = type(self.axes) == "table" and self.axes or {self.axes, self.axes}
  local a, b = axes[1], axes[2] or axes[1]
  return a < 0 and #first + 1 + a or a, b < 0 and #second + 1 + b or b
end

function Dot:check_shapes(input_shapes)
  if #input_shapes ~= 2 then errors.raise("expected 2 inputs, got %d", #input_shapes) end
  local first, second = input_shapes[1], input_shapes[2]
  local a, b = axes_of(self, first, second)
  if a == 1 or b == 1 then errors.raise "a dot product along the batch axis (1) is not possible" end
  local m, n = first[a], second[b]
  if m == nil or n == nil then
    errors.raise("axes %d and %d are out of range for %s", a, b, structure.describe(input_shapes))
  end
  if m ~= n and m ~= shapes.None and n ~= shapes.None then
    errors.raise(
      "axis %d of the first input has size %s, axis %d of the second %s; the shapes are %s", a, m,
      b, n,
      structure.describe(input_shapes))
  end
end

--- The axes of a shape in order with one of them moved.
local function order_with(ndim, axis, place)
  local order = {}
  for i = 1, ndim do
    if i ~= axis then order[#order + 1] = i end
  end
  table.insert(order, place, axis)
  return order
end

local function product(shape, first, last)
  local size = 1
  for axis = first, last do size = size * shape[axis] end
  return size
end

function Dot:merge(inputs)
  local x, y = inputs[1], inputs[2]
  local a, b = axes_of(self, x.shape, y.shape)
  if self.normalize then
    x, y = ops.normalize(x, a), ops.normalize(y, b)
  end
  x = ops.transpose(x, order_with(x.ndim, a, x.ndim))
  y = ops.transpose(y, order_with(y.ndim, b, 2))
  local rows, columns = x.shape, y.shape
  local batch, depth = rows[1], rows[#rows]
  local result = ops.matmul(
    ops.reshape(x, {batch, product(rows, 2, #rows - 1), depth}),
    ops.reshape(y, {batch, depth, product(columns, 3, #columns)}))
  local shape = {batch}
  table.move(rows, 2, #rows - 1, #shape + 1, shape)
  table.move(columns, 3, #columns, #shape + 1, shape)
  if #shape == 1 then shape[2] = 1 end
  return ops.reshape(result, shape)
end

function Dot:compute_mask() return nil end

return {Dot = Dot, dot = Dot:as_function()}
