--- Products and norms composed of other operations.
-- @module cusp.ops.linear
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"

local rows = engine.ops

local function is_float(dtype) return dtype:find "float" ~= nil end

local function as_float(x)
  if is_float(x.dtype) then return x end
  return rows.cast(x, engine.get_floatx())
end

---------------------------------------------------------------- sums over named or paired axes

--- Einstein summation.
-- @tparam string subscripts a letter for each axis of each operand, and those of the result
-- @tparam tensor ... the operands
-- @treturn tensor
-- @usage
-- local a, b = cusp.ones{2, 3}, cusp.ones{3, 4}
-- print(cusp.ops.einsum("ij,jk->ik", a, b):item(1, 1)) --> 3.0
local function einsum(...)
  local positional, n, keywords = arguments.split(false, ...)
  local subscripts, first = keywords.subscripts or positional[1], keywords.subscripts and 1 or 2
  if type(subscripts) ~= "string" then
    errors.raise("einsum: argument 'subscripts' should be a string such as \"ij,jk->ik\", got %s",
      errors.describe(subscripts))
  end
  local operands = {}
  for i = first, n do operands[#operands + 1] = define.tensor(positional[i]) end
  if #operands == 1 and kinds.is_plain(positional[first])
    and type(positional[first][1]) == "userdata" then
    operands = positional[first]
  end
  return rows.einsum_operands(operands, subscripts)
end

define.raw("einsum", "Einstein summation: einsum(\"ij,jk->ik\", a, b).", einsum)

local function tensordot(x1, x2, axes)
  local first, second = {}, {}
  if type(axes) == "number" then
    local n = math.min(#x1.shape, #x2.shape)
    if axes > n then
      errors.raise("tensordot: axes should be at most %d, the number of axes, got %s", n,
        errors.describe(axes))
    end
    n = #x1.shape
    for i = 1, axes do first[i], second[i] = n - axes + i, i end
  else
    if type(axes) ~= "table" or #axes ~= 2 then
      errors.raise("tensordot: axes should be a number or two lists of axes, got %s",
        errors.describe(axes))
    end
    first = type(axes[1]) == "number" and {axes[1]} or axes[1]
    second = type(axes[2]) == "number" and {axes[2]} or axes[2]
  end
  return rows.tensordot_axes(x1, x2, first, second)
end

---------------------------------------------------------------- norms

local function vector_norm(x, order, axes, keepdims)
  local size = rows.abs(x)
  if order == math.huge then return rows.max(size, axes, keepdims) end
  if order == -math.huge then return rows.min(size, axes, keepdims) end
  if order == 0 then return rows.sum(rows.cast(rows.not_equal(x, 0), x.dtype), axes, keepdims) end
  if order == 1 then return rows.sum(size, axes, keepdims) end
  if order == nil or order == 2 or order == "fro" then
    return rows.sqrt(rows.sum(rows.square(x), axes, keepdims))
  end
  if type(order) ~= "number" then
    errors.raise("norm: ord %s requires a matrix", errors.describe(order))
  end
  return rows.power(rows.sum(rows.power(size, order), axes, keepdims), 1 / order)
end

-- Singular values along the last two axes, largest first.
local function singular_values(x, axes)
  local ops = require "cusp.ops"
  if not ops.svd then
    errors.raise("norm: this norm needs singular values, which this build does not "
      .. "support")
  end
  return ops.svd(rows.moveaxis(x, axes, {-2, -1}), {compute_uv = false})
end

local function matrix_norm(x, order, axes, keepdims)
  local size = rows.abs(x)
  if order == nil or order == "fro" then
    return rows.sqrt(rows.sum(rows.square(x), axes, keepdims))
  end
  local across = {[1] = axes[1], [-1] = axes[1], [math.huge] = axes[2], [-math.huge] = axes[2]}
  if across[order] then
    local sums = rows.sum(size, across[order], true)
    local result = order > 0 and rows.max(sums, axes, true) or rows.min(sums, axes, true)
    return keepdims and result or rows.squeeze(result, axes)
  end
  local values = singular_values(x, axes)
  local result
  if order == "nuc" then result = rows.sum(values, -1)
  elseif order == 2 then result = rows.max(values, -1)
  elseif order == -2 then result = rows.min(values, -1)
  else errors.raise(
    "norm: ord should be \"fro\", \"nuc\", 1, 2, inf or their negatives for matrices, got %s",
    errors.describe(order)) end
  if not keepdims then return result end
  for _, axis in ipairs(axes[1] < axes[2] and axes or {axes[2], axes[1]}) do
    result = rows.expand_dims(result, axis)
  end
  return result
end

local function norm(x, order, axis, keepdims)
  x = as_float(x)
  local rank = #x.shape
  if axis == nil then
    local all = {}
    for i = 1, rank do all[i] = i end
    if order == nil then return vector_norm(x, 2, all, keepdims) end
    if rank > 2 then
      errors.raise("norm: ord needs a vector, a matrix or an axis, got shape %s",
        errors.shape(x.shape))
    end
    axis = all
  end
  if type(axis) == "number" then axis = {axis} end
  if #axis == 1 then return vector_norm(x, order, axis, keepdims) end
  if #axis ~= 2 then errors.raise("norm: expected one or two axes, got %d", #axis) end
  local positive = {}
  for i, a in ipairs(axis) do positive[i] = a < 0 and rank + 1 + a or a end
  return matrix_norm(x, order, positive, keepdims)
end

local function normalize(x, axis, order, epsilon)
  if order < 1 then errors.raise("normalize: order should be a positive integer, got %d", order) end
  if #x.shape == 0 then x = rows.expand_dims(x, 1) end
  x = as_float(x)
  epsilon = epsilon or require("cusp.base.config").epsilon()
  if order == 2 then
    local inverse = rows.rsqrt(rows.sum(rows.square(x), axis, true))
    return rows.multiply(x, rows.minimum(inverse, 1 / epsilon))
  end
  return rows.divide(x, rows.maximum(vector_norm(x, order, axis, true), epsilon))
end

---------------------------------------------------------------- vectors

-- The components along the last axis.
local function components(x)
  local rank, list = #x.shape, {}
  local count = x.shape[rank]
  if count < 2 or count > 3 then
    errors.raise("cross: expected vectors of 2 or 3 components, got %d", count)
  end
  for i = 1, count do
    local spec = {}
    for axis = 1, rank do spec[axis] = {} end
    spec[rank] = i
    list[i] = x:slice(spec)
  end
  return list
end

local function cross(x1, x2, axis_a, axis_b, axis_c, axis)
  if axis then axis_a, axis_b, axis_c = axis, axis, axis end
  define.check_axis("cross", axis_a, x1)
  define.check_axis("cross", axis_b, x2)
  local a, b = components(rows.moveaxis(x1, axis_a, -1)), components(rows.moveaxis(x2, axis_b, -1))
  local function minor(i, j)
    local left = a[i] and b[j] and rows.multiply(a[i], b[j])
    local right = a[j] and b[i] and rows.multiply(a[j], b[i])
    if left and right then return rows.subtract(left, right) end
    return left or rows.negative(right)
  end
  if #a == 2 and #b == 2 then return minor(1, 2) end
  local product = rows.stack({minor(2, 3), minor(3, 1), minor(1, 2)}, -1)
  define.check_axis("cross", axis_c, product)
  return rows.moveaxis(product, -1, axis_c)
end

local function cdist(x, y)
  if #x.shape < 2 or #y.shape < 2 then errors.raise "cdist: both inputs need at least 2 axes" end
  local difference = rows.subtract(rows.expand_dims(x, -2), rows.expand_dims(y, -3))
  return rows.sqrt(rows.sum(rows.square(difference), -1))
end

-- The common float dtype of two operands.
local function common_float(a, b)
  return rows.divide(rows.zeros({}, a.dtype), rows.ones({}, b.dtype)).dtype
end

local function correlate(x1, x2, mode)
  if #x1.shape ~= 1 or #x2.shape ~= 1 then errors.raise "correlate: expected two vectors" end
  local dtype = common_float(x1, x2)
  x1, x2 = rows.cast(x1, dtype), rows.cast(x2, dtype)
  local swapped = x1.shape[1] < x2.shape[1]
  if swapped then x1, x2 = x2, x1 end
  local size = x2.shape[1]
  local padding = {
    valid = {0, 0}, full = {size - 1, size - 1}, same = {size // 2, size - size // 2 - 1},
  }
  if not padding[mode] then
    errors.raise("correlate: mode should be \"valid\", \"same\" or \"full\", got %q", mode)
  end
  local windows = require("cusp.ops").extract_sequences(rows.pad(x1, {padding[mode]}), size, 1)
  local result = rows.matmul(windows, x2)
  return swapped and rows.flip(result) or result
end

---------------------------------------------------------------- differences and areas

-- The entries first .. last along the last axis.
local function part(x, first, last)
  local spec = {}
  for i = 1, #x.shape do spec[i] = {} end
  spec[#x.shape] = {first, last}
  return x:slice(spec)
end

local function diff(a, n, axis)
  if n < 0 then errors.raise("diff: n should not be negative, got %d", n) end
  if #a.shape == 0 then errors.raise "diff: expected at least one axis, got a scalar" end
  define.check_axis("diff", axis, a)
  local x = rows.moveaxis(a, axis, -1)
  for _ = 1, n do
    local size = x.shape[#x.shape]
    if size < 2 then return rows.moveaxis(part(x, 1, 0), -1, axis) end
    local after, before = part(x, 2, size), part(x, 1, size - 1)
    x = a.dtype == "bool" and rows.not_equal(after, before) or rows.subtract(after, before)
  end
  return rows.moveaxis(x, -1, axis)
end

local function trapezoid(y, x, dx, axis)
  if x ~= nil then x = define.tensor(x) end
  define.check_axis("trapezoid", axis, y)
  y = rows.moveaxis(x == nil and as_float(y) or rows.cast(y, common_float(y, x)), axis, -1)
  local n = y.shape[#y.shape]
  local height = rows.multiply(rows.add(part(y, 1, n - 1), part(y, 2, n)), 0.5)
  if x == nil then return rows.sum(rows.multiply(height, dx), -1) end
  if #x.shape > 1 then
    define.check_axis("trapezoid", axis, x)
    x = rows.moveaxis(x, axis, -1)
  end
  return rows.sum(rows.multiply(height, rows.subtract(part(x, 2, n), part(x, 1, n - 1))), -1)
end

local normalize_arguments =
  arguments.signature "x, axis: axes = -1, order: int = 2, epsilon: float = nil"
normalize_arguments[2].optional = true -- null means all axes

define.ops{
  {"tensordot", "x1, x2, axes: any = 2",
    "Sum over pairs of axes: the last so many of x1 with the first of x2, or two lists of axes.",
    tensordot},
  {"norm", "x, ord: any = nil, axis: axes = nil, keepdims: bool = false",
    "The norm of vectors or matrices.", norm},
  {"normalize", normalize_arguments, "x divided by its norm along axes.", normalize},
  {"cross", "x1, x2, axisa: axis = -1, axisb: axis = -1, axisc: axis = -1, axis: axis = nil",
    "The cross product of vectors.", cross},
  {"cdist", "x, y", "Euclidean distances of all rows of x to all rows of y.", cdist},
  {"diff", "a, n: int = 1, axis: axis = -1", "The n-th difference of neighbours along an axis.",
    diff},
  {"trapezoid", "y, x: any = nil, dx: any = 1.0, axis: axis = -1",
    "The integral along an axis by the trapezoidal rule.", trapezoid},
  {"correlate", "x1, x2, mode: string = valid", "The cross-correlation of two vectors.", correlate},
}
