--- What operators share: reading values that have to be known, and numbers that count from 0.
-- @module cusp.onnx.load.values
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local values = {}

--- The elements of a tensor that has to be known while a graph is built.
-- @tparam tensor tensor
-- @tparam string what it is, for the message
-- @treturn {number,...}
function values.list(tensor, what)
  if engine.is_traced(tensor) then
    errors.raise("%s depends on the inputs' values; only what is known from the model and from"
      .. " shapes can be computed in a compiled step (compile{run_eagerly = true} may help)", what)
  end
  return tensor:flat()
end

--- The one element of such a tensor.
function values.number(tensor, what) return values.list(tensor, what)[1] end

--- An axis from 0 as one from 1; negative ones stay.
function values.axis(axis) return axis >= 0 and axis + 1 or axis end

--- A list of them.
function values.axes(list)
  local result = {}
  for i, axis in ipairs(list) do result[i] = values.axis(axis) end
  return result
end

--- An axis from 0 that may be negative, as one from 1.
function values.position(axis, rank)
  local position = axis >= 0 and axis + 1 or axis + rank + 1
  if position < 1 or position > rank then
    errors.raise("axis %d is out of range for a tensor of rank %d", axis, rank)
  end
  return position
end

--- A tensor of integers that is known.
function values.integers(list)
  return engine.tensor(list, {dtype = "int64", shape = {#list}})
end

--- A number as a tensor of the dtype.
function values.scalar(number, dtype) return engine.tensor(number, {dtype = dtype}) end

function values.is_float(dtype) return dtype:find "float" ~= nil end

--- The value as the dtype; as it is where it has it.
function values.cast(tensor, dtype)
  return tensor.dtype == dtype and tensor or ops.cast(tensor, dtype)
end

local most_steps, most_places = 100000, 1 << 24

--- The softmax of an axis; of 16 bits rounded after each step, as ONNX defines it.
function values.softmax(x, axis)
  if x.dtype ~= "float16" and x.dtype ~= "bfloat16" then return ops.softmax(x, axis) end
  local powers = ops.exp(ops.subtract(x, ops.amax(x, axis, true)))
  return ops.divide(powers, ops.sum(powers, axis, true))
end

--- Refuses what a file may demand of a list that is made in Lua.
-- @tparam integer count
-- @tparam string what
-- @treturn integer the count
function values.limit(count, what)
  if count <= most_places then return count end
  errors.raise("%s has %s elements, more than the %d that are computed here", what,
    tostring(count), most_places)
end

--- Refuses more steps than a graph can be written out to.
function values.limit_steps(count, what)
  if count <= most_steps then return count end
  errors.raise("%s has %s steps, more than the %d that are written out", what, tostring(count),
    most_steps)
end

--- The shape that two broadcast to.
function values.broadcast(a, b)
  local rank, shape = math.max(#a, #b), {}
  for i = 1, rank do
    local first, second = a[#a - rank + i] or 1, b[#b - rank + i] or 1
    shape[i] = first == 1 and second or first
  end
  return shape
end

--- A list from 1 to n.
function values.count(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

--- n times the value.
function values.fill(n, value)
  local list = {}
  for i = 1, n do list[i] = value end
  return list
end

--- The product of sizes.
function values.product(sizes, first, last)
  local product = 1
  for i = first or 1, last or #sizes do product = product * sizes[i] end
  return product
end

return values
