--- Two integers from -8 to 7 in each byte.
-- @module cusp.quantizers.int4
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local int4 = {}

local dtype_row = {"dtype", "choice", choices = {"int8", "uint8"}, default = "int8"}
local bind_pack = arguments.binder("pack_int4", {
  {"arr", "any"}, {"axis", "axis", default = 1}, dtype_row,
}, false)
local bind_unpack = arguments.binder("unpack_int4", {
  {"packed", "any"}, {"orig_len", "integer", min = 0}, {"axis", "axis", default = 1}, dtype_row,
}, false)

-- A tensor of the dtype, and its axis counted from the front.
local function prepare(name, value, axis, dtype)
  value = define.tensor(value)
  if value.dtype ~= dtype then
    errors.raise("%s: expected a tensor of dtype %s, got %s", name, dtype, value.dtype)
  end
  define.check_axis(name, axis, value)
  return value, axis < 0 and #value.shape + 1 + axis or axis
end

local function part(value, axis, first, step)
  local length = value.shape[axis]
  return ops.take(value, ops.arange(first, length, step, {dtype = "int32"}), axis)
end

--- Packs neighbours along an axis: the first of two in the low four bits.
-- @tparam tensor arr integers from -8 to 7
-- @tparam[opt=1] integer axis
-- @tparam[opt="int8"] string dtype of both tensors: "int8" or "uint8"
-- @treturn tensor half as long along the axis, rounded up
-- @treturn table its shape
-- @treturn integer how long the axis was
function int4.pack_int4(...)
  local arr, axis, dtype = bind_pack(...)
  arr, axis = prepare("pack_int4", arr, axis, dtype)
  local length = arr.shape[axis]
  if length % 2 == 1 then
    local padding = {}
    for i = 1, #arr.shape do padding[i] = {0, i == axis and 1 or 0} end
    arr = ops.pad(arr, padding)
  end
  -- in int32: no bit is lost on the way
  local low = ops.bitwise_and(ops.cast(part(arr, axis, 0, 2), "int32"), 15)
  local high = ops.bitwise_and(ops.cast(part(arr, axis, 1, 2), "int32"), 15)
  local packed = ops.cast(ops.bitwise_or(low, ops.left_shift(high, 4)), dtype)
  return packed, packed.shape, length
end

--- Gives back what `pack_int4` packed.
-- @tparam tensor packed
-- @tparam integer orig_len how long the axis was
-- @tparam[opt=1] integer axis
-- @tparam[opt="int8"] string dtype of both tensors: "int8", or "uint8" for integers from 0 to 15
-- @treturn tensor
function int4.unpack_int4(...)
  local packed, length, axis, dtype = bind_unpack(...)
  packed, axis = prepare("unpack_int4", packed, axis, dtype)
  if (length + 1) // 2 ~= packed.shape[axis] then
    errors.raise("unpack_int4: %d integers take %d bytes, but the axis has %d", length,
      (length + 1) // 2, packed.shape[axis])
  end
  local low, high = ops.bitwise_and(packed, 15), ops.bitwise_and(ops.right_shift(packed, 4), 15)
  local shape = packed.shape
  shape[axis] = 2 * shape[axis]
  local both = ops.reshape(ops.stack({low, high}, axis + 1), shape)
  if dtype == "int8" then both = ops.subtract(ops.bitwise_xor(both, 8), 8) end
  if shape[axis] == length then return both end
  return ops.take(both, ops.arange(length, {dtype = "int32"}), axis)
end

return int4
