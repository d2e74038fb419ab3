--- Quantization in groups along the first axis, each with a scale and a zero of its own.
-- @module cusp.quantizers.grouped
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local grouped = {}

local bind = arguments.binder("abs_max_quantize_grouped_with_zero_point", {
  {"inputs", "any"}, {"block_size", "integer", min = 1},
  {"value_range", "list", list_of = "number", default = {-8, 7}},
  {"dtype", "dtype", default = "int8"}, {"epsilon", "number", default = 1e-07, min = 0},
  {"to_numpy", "boolean", default = false},
}, false)

local name = "abs_max_quantize_grouped_with_zero_point"

local function in_groups(inputs, block_size)
  local rows, columns = inputs.shape[1], inputs.shape[2]
  local groups = (rows + block_size - 1) // block_size
  local missing = groups * block_size - rows
  if missing > 0 then inputs = ops.pad(inputs, {{0, missing}, {0, 0}}) end
  return ops.reshape(inputs, {groups, block_size, columns}), groups * block_size
end

-- A group of one value has a range of 2 around it, as in Keras.
local function ends_of(groups, widen)
  local low = ops.min(groups, {axis = 2, keepdims = true})
  local high = ops.max(groups, {axis = 2, keepdims = true})
  if not widen then return low, high end
  local same = ops.equal(low, high)
  return ops.where(same, ops.subtract(low, 1), low), ops.where(same, ops.add(high, 1), high)
end

local function quantize(inputs, block_size, range, dtype, epsilon, widen)
  if widen then block_size = math.min(block_size, inputs.shape[1]) end
  local groups, padded = in_groups(inputs, block_size)
  local low, high = ends_of(groups, widen)
  local scale = ops.divide(ops.add(ops.subtract(high, low), epsilon), range[2] - range[1])
  local zero = ops.add(ops.round(ops.divide(ops.negative(low), scale)), range[1])
  zero = ops.clip(zero, range[1], range[2])
  local integers = ops.add(ops.round(ops.divide(groups, scale)), zero)
  integers = ops.cast(ops.clip(integers, range[1], range[2]), dtype)
  integers = ops.reshape(integers, {padded, inputs.shape[2]})
  if padded > inputs.shape[1] then
    integers = ops.take(integers, ops.arange(inputs.shape[1], {dtype = "int32"}), 1)
  end
  return integers, ops.squeeze(scale, 2), ops.cast(ops.squeeze(zero, 2), "int8")
end

--- Quantizes a matrix in groups of rows: each group has a scale and a zero for each column.
-- @tparam tensor inputs `[rows, columns]`
-- @tparam integer block_size rows of a group
-- @tparam[opt] table value_range the least and the greatest integer, `{-8, 7}`
-- @tparam[opt="int8"] string dtype of the integers
-- @tparam[opt=1e-07] number epsilon keeps the scale of equal values finite
-- @tparam[opt=false] boolean to_numpy zeros count among the values of a group that is not full, and
-- a group of equal values gets no wider range
-- @treturn tensor the integers
-- @treturn tensor the scales, `[groups, columns]`: a value is `(integer - zero) * scale`
-- @treturn tensor the zeros, `[groups, columns]`
function grouped.abs_max_quantize_grouped_with_zero_point(...)
  local inputs, block_size, range, dtype, epsilon, to_numpy = bind(...)
  inputs = define.tensor(inputs)
  if #inputs.shape ~= 2 or inputs.shape[1] * inputs.shape[2] == 0 then
    errors.raise("%s: expected a matrix that is not empty, got shape %s", name,
      errors.shape(inputs.shape))
  end
  if #range ~= 2 or range[1] >= range[2] then
    errors.raise("%s: argument 'value_range' should be the least and the greatest integer, got %s",
      name, errors.describe(range))
  end
  return quantize(inputs, block_size, range, dtype, epsilon, not to_numpy)
end

--- What integers of groups stand for.
-- @tparam tensor integers
-- @tparam tensor scale
-- @tparam tensor zero
-- @tparam tensor index the group of each position along the axis
-- @tparam integer axis of the groups
-- @treturn tensor
-- @local
function grouped.dequantize(integers, scale, zero, index, axis)
  index = ops.cast(index, "int32")
  scale = ops.take(scale, index, axis)
  zero = ops.cast(ops.take(zero, index, axis), scale.dtype)
  return ops.multiply(ops.subtract(integers, zero), scale)
end

return grouped
