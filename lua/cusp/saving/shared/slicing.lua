--- Python's `x[...]` with slices, as graphs in files have it: integers, slices, `...` and new axes,
-- all counted from 0.
-- @module cusp.saving.shared.slicing
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"

local slicing = {}
local is_plain = kinds.is_plain

-- What stands between the brackets; not a plain table, so that nothing takes it for arguments.
local Key = {__name = "Key"}

local function is_ellipsis(item) return is_plain(item) and item.class_name == "__ellipsis__" end

-- The three numbers of a slice, wherever a generation of Keras has them.
local function parts(item)
  local from = is_plain(item.config) and item.config or item
  local result = {}
  for i, name in ipairs{"start", "stop", "step"} do
    local value = from[name]
    if value == null then value = nil end
    if value ~= nil and math.type(value) ~= "integer" then
      errors.raise("a slice of a tensor should have integers, got %s as its %s; slices that depend "
        .. "on tensors are not read", errors.describe(value), name)
    end
    result[i] = value
  end
  if result[3] == 0 then errors.raise "a slice of a tensor has the step 0" end
  return result
end

local function check_item(item)
  if math.type(item) == "integer" or item == null or is_ellipsis(item) then return item end
  if is_plain(item) and #item == 0 then
    parts(item)
    return item
  end
  errors.raise("an index of a tensor should be an integer, a slice, an ellipsis or null, got %s",
    errors.describe(item))
end

--- The key of a form in a file.
-- @tparam table|integer form one index, or a list of them
-- @return an integer stays one
-- @raise for what is no index
function slicing.key(form)
  if math.type(form) == "integer" then return form end
  local list = is_plain(form) and #form > 0 and form or {form}
  local items = {}
  for i = 1, #list do items[i] = check_item(list[i]) end
  return setmetatable({items = items}, Key)
end

-- A range of t:slice{...} as Python's numbers of a slice, which exclude the stop.
local function numbers_of(range)
  local first, last, step = range[1], range[2], range[3]
  if first and first > 0 then first = first - 1 end
  if last and (step or 1) > 0 then
    if last < 0 then last = last < -1 and last + 1 or nil end
  elseif last then
    last = last > 0 and last - 2 or last - 1
    if range[2] == 1 then last = nil end
  end
  return {start = first, stop = last, step = step}
end

local function item_of(range)
  if math.type(range) == "integer" then return range > 0 and range - 1 or range end
  if range == null then return null end
  return numbers_of(is_plain(range) and range or {})
end

--- The key of the ranges of `t:slice(ranges)`, which count from 1.
-- @tparam table ranges
-- @tparam integer rank the tensor's; "..." becomes what it stands for
function slicing.key_of_ranges(ranges, rank)
  local items, given, others = {}, 0, nil
  for i = 1, #ranges do
    if ranges[i] ~= null and ranges[i] ~= "..." then given = given + 1 end
  end
  for i = 1, #ranges do
    if ranges[i] == "..." and not others then
      others = rank - given
      for _ = 1, others do items[#items + 1] = numbers_of{} end
    else
      items[#items + 1] = item_of(ranges[i])
    end
  end
  return setmetatable({items = items}, Key)
end

--- Whether a value is a key that is more than an integer.
function slicing.is_key(value) return type(value) == "table" and getmetatable(value) == Key end

---------------------------------------------------------------- writing

local function slice_form(item, with_class)
  local numbers = parts(item)
  local function at(i) return numbers[i] == nil and null or numbers[i] end
  local config = ordered.object({start = at(1), stop = at(2), step = at(3)},
    {"start", "stop", "step"})
  if not with_class then return config end
  return ordered.object({class_name = "__slice__", config = config}, {"class_name", "config"})
end

--- The form of a key.
-- @param key
-- @tparam boolean with_class Keras 3's form rather than tf.keras's
function slicing.form(key, with_class)
  local result = {}
  for i, item in ipairs(key.items) do
    local is_slice = is_plain(item) and not is_ellipsis(item)
    result[i] = is_slice and slice_form(item, with_class) or item
  end
  return result
end

---------------------------------------------------------------- taking

-- The range from 1 of a slice of an axis, as in Python's `slice.indices`.
local function range_of(item, size)
  local start, stop, step = table.unpack(parts(item), 1, 3)
  if not start and not stop and not step then return {} end
  step = step or 1
  local low, high = step > 0 and 0 or -1, step > 0 and size or size - 1
  local function bound(value, default)
    if not value then return default end
    return math.max(low, math.min(high, value < 0 and value + size or value))
  end
  start, stop = bound(start, step > 0 and low or high), bound(stop, step > 0 and high or low)
  local count = math.max(0, (stop - start + step - (step > 0 and 1 or -1)) // step)
  if count == 0 then return {1, 0} end
  return {start + 1, start + 1 + (count - 1) * step, step}
end

local function index_of(item, size)
  local index = item < 0 and item + size or item
  if index < 0 or index >= size then
    errors.raise("index %d is out of range for an axis of size %d", item, size)
  end
  return index + 1
end

-- The axes that `...` stands for.
local function expanded(items, rank)
  local taken, result = 0, {}
  for _, item in ipairs(items) do
    if item ~= null and not is_ellipsis(item) then taken = taken + 1 end
  end
  if taken > rank then
    errors.raise("a tensor of %d axes has %d indices", rank, taken)
  end
  for _, item in ipairs(items) do
    if is_ellipsis(item) then
      for _ = 1, rank - taken do result[#result + 1] = {} end
      taken = rank
    else
      result[#result + 1] = item
    end
  end
  return result
end

--- The part of a tensor.
-- @tparam tensor tensor
-- @param key as from `slicing.key`
-- @treturn tensor
function slicing.take(tensor, key)
  local ranges, new_axes, axis, out = {}, {}, 0, 0
  for _, item in ipairs(expanded(key.items, tensor.ndim)) do
    if item == null then
      out = out + 1
      new_axes[#new_axes + 1] = out
    else
      axis = axis + 1
      local size = tensor.shape[axis]
      local is_index = math.type(item) == "integer"
      ranges[axis] = is_index and index_of(item, size) or range_of(item, size)
      out = is_index and out or out + 1
    end
  end
  local result = #ranges > 0 and tensor:slice(ranges) or tensor
  for _, position in ipairs(new_axes) do result = result:expand_dims(position) end
  return result
end

return slicing
