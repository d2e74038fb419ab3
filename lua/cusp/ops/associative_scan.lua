--- Prefixes joined by an associative function.
-- @module cusp.ops.associative_scan
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local loops = require "cusp.ops.traced_loops"
local structure = require "cusp.base.structure"

local rows = engine.ops

-- Every `step`-th item from `first` to `last`.
local function items(leaves, axis, first, last, step)
  return lists.map(leaves, function(leaf)
    local spec = {}
    for i = 1, #leaf.shape do spec[i] = {} end
    spec[axis] = {first, last, step}
    return leaf:slice(spec)
  end)
end

local function check_result(value, like)
  if errors.shape(value.shape) ~= errors.shape(like.shape) or value.dtype ~= like.dtype then
    errors.raise(
      "associative_scan: the function should return tensors like its arguments, for %s %s it "
      .. "returned %s %s", like.dtype, errors.shape(like.shape), value.dtype,
      errors.shape(value.shape))
  end
end

-- The function as one of two lists of tensors.
local function joining(f, form)
  return function(a, b)
    local result = f(structure.pack(form, a), structure.pack(form, b))
    local own, results = loops.take_apart{n = 1, result}
    if #results ~= #a or not loops.same_form(own, (loops.take_apart{n = 1, form})) then
      errors.raise("associative_scan: the function should return the structure of its arguments, "
        .. "it returned %s", errors.describe(result))
    end
    for i, value in ipairs(results) do
      results[i] = define.tensor(value)
      check_result(results[i], b[i])
    end
    return results
  end
end

local most_axes = 8

-- The items of `odd` and of `even` in turn: pairs along an axis behind, which tensors of most axes
-- have no room for.
local function in_turn(odd, even, axis)
  local shape, at = even.shape, axis
  if #shape == most_axes then
    local around = {1, shape[axis], 1}
    for i, size in ipairs(shape) do
      local side = i < axis and 1 or 3
      if i ~= axis then around[side] = around[side] * size end
    end
    odd, even, at = rows.reshape(odd, around), rows.reshape(even, around), 2
  end
  shape[axis] = 2 * shape[axis]
  return rows.reshape(rows.stack({odd, even}, at + 1), shape)
end

-- The first item, then those of `odd` and of `even` in turn.
local function interleave(first, odd, even, axis)
  local count, parts = even.shape[axis], {first}
  if count > 0 then
    parts[2] = in_turn(items({odd}, axis, 1, count)[1], even, axis)
  end
  if odd.shape[axis] > count then
    parts[#parts + 1] = items({odd}, axis, count + 1, count + 1)[1]
  end
  return rows.concatenate(parts, axis)
end

-- Blelloch, "Prefix sums and their applications" (1990): the prefixes of joined pairs are every
-- second prefix; the others are those, joined with one item more.
local function prefixes(join, leaves, size, axis)
  if size < 2 then return leaves end
  local pairs_joined = join(items(leaves, axis, 1, size - 1, 2), items(leaves, axis, 2, size, 2))
  local odd = prefixes(join, pairs_joined, size // 2, axis)
  local more = (size - 1) // 2
  local even = items(leaves, axis, 1, 0)
  if more > 0 then even = join(items(odd, axis, 1, more), items(leaves, axis, 3, size, 2)) end
  for i, leaf in ipairs(items(leaves, axis, 1, 1)) do
    odd[i] = interleave(leaf, odd[i], even[i], axis)
  end
  return odd
end

-- The axis, counted from 1, and the size that all have there.
local function extent(leaves, axis)
  if #leaves == 0 then errors.raise "associative_scan: expected at least one tensor" end
  local positive, size = axis < 0 and #leaves[1].shape + 1 + axis or axis, nil
  for _, leaf in ipairs(leaves) do
    local own = leaf.shape[positive]
    if not own then
      errors.raise("associative_scan: axis %d is out of range for shape %s", axis,
        errors.shape(leaf.shape))
    elseif size and own ~= size then
      errors.raise("associative_scan: expected %d along axis %d, got shape %s", size, axis,
        errors.shape(leaf.shape))
    end
    size = own
  end
  return positive, size
end

--- All prefixes of the items along an axis: the first, the first two joined, and so on. The
-- function is called twice for each doubling of the length.
-- @tparam function f joins two tensors, or nested tables of them like `elems`, of any size along
-- the axis; in which order several are joined must not matter
-- @param elems tensor, or a nested table of them
-- @tparam[opt=false] boolean reverse from the last item to the first
-- @tparam[opt=1] integer axis
-- @return the prefixes, in the shape of `elems`
-- @usage
-- local function add(a, b) return a + b end
-- print(cusp.ops.associative_scan(add, cusp.tensor{1, 2, 3}):item(3)) --> 6
local function associative_scan(f, elems, reverse, axis)
  loops.check_callable("associative_scan", f)
  elems = loops.values_of(loops.tensors_of(elems))
  local leaves = structure.flatten(elems)
  local at, size = extent(leaves, axis)
  local function flipped(list)
    return lists.map(list, function(leaf) return rows.flip(leaf, at) end)
  end
  if reverse then leaves = flipped(leaves) end
  local found = prefixes(joining(f, elems), leaves, size, at)
  return structure.pack(elems, reverse and flipped(found) or found)
end

define.ops{
  {"associative_scan", "f: any, elems: any, reverse: bool = false, axis: axis = 1",
    "All prefixes of the items along an axis, joined by an associative function.", associative_scan,
    plain = true},
}
