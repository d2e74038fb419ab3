--- Stages that put elements together and take them apart: batch, padded_batch, unbatch, rebatch,
-- window.
-- @module cusp.data.stages.batch
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local native = require "cusp.data.machinery.native"
local shapes = require "cusp.base.shape"
local spec = require "cusp.data.machinery.spec"
local structure = require "cusp.base.structure"

local batch = {}
local None = shapes.None

-- Up to `size` elements; nil at the end. Those that are dropped have to fit together, too, where an
-- `owner` asks for it.
local function gather(fetch, size, drop_remainder, owner)
  local elements = {}
  while #elements < size do
    local one = fetch()
    if not one then break end
    elements[#elements + 1] = one
  end
  if #elements == 0 then return nil end
  if drop_remainder and #elements < size then
    if owner then element.check_batch(owner, elements) end
    return nil
  end
  return elements
end

batch.gather = gather

local function batches_of(count, options)
  if count < 0 then return count end
  return options.drop_remainder and count // options.batch_size
    or (count + options.batch_size - 1) // options.batch_size
end

local function batched_types(dataset, peek)
  local form, types = dataset.input:known_types(peek)
  if not form then return nil end
  return form, spec.batched(types,
    dataset.options.drop_remainder and dataset.options.batch_size or None)
end

batch.batch = {
  name = "batch",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    return function()
      local elements = gather(fetch, options.batch_size, options.drop_remainder, "batch")
      return elements and element.stack("batch", elements)
    end, close
  end,
  cardinality = function(dataset) return batches_of(dataset.input:count(), dataset.options) end,
  types = batched_types,
  sample = function(dataset)
    local e = dataset.input:sample()
    return e and element.stack("batch", {e})
  end,
  lower = function(dataset)
    local options, description = dataset.options, dataset.input:lower()
    if not description or description.batch then return nil end
    description = native.with(description, function()
      return {"batch", options.batch_size, 0, options.drop_remainder}
    end, "batch")
    description.covers = description.covers
      and (not options.drop_remainder or description.rows.rows % options.batch_size == 0)
    description.batch, description.drop_remainder = options.batch_size, options.drop_remainder
    return description
  end,
}

---------------------------------------------------------------- padding

-- The shape that a part of a batch gets: declared, or as large as its largest entry.
local function padded_shape(elements, k, declared)
  local first = element.type_of(elements[1][k]).shape
  local shape = {}
  for axis = 1, #first do
    local fixed = declared and declared[axis]
    shape[axis] = fixed and fixed ~= None and fixed ~= -1 and fixed or 0
    for i, e in ipairs(elements) do
      local own = element.type_of(e[k]).shape
      if #own ~= #first then
        errors.raise(
          "padded_batch: element %d of the batch is %s, the first is %s; expected equal numbers "
          .. "of axes", i, element.describe(e),
          element.describe(elements[1]))
      end
      if fixed and fixed ~= None and fixed ~= -1 then
        if own[axis] > fixed then
          errors.raise(
            "padded_batch: element %d of the batch has shape %s, which does not fit into %s", i,
            errors.shape(own),
            errors.shape(declared))
        end
      else
        shape[axis] = math.max(shape[axis], own[axis])
      end
    end
  end
  return shape
end

local function pad_to(tensor, shape, value)
  local own, widths, needed = tensor.shape, {}, false
  for axis = 1, #shape do
    widths[axis] = {0, shape[axis] - own[axis]}
    needed = needed or shape[axis] ~= own[axis]
  end
  if not needed then return tensor end
  if tensor.dtype == "string" then
    local start, step = {}, {}
    for axis = 1, #shape do start[axis], step[axis] = 0, 1 end
    return engine.ops.embed(tensor, value, shape, start, step)
  end
  return require("cusp.ops").pad(tensor, widths, {constant_values = value})
end

local function padded_part(elements, k, options)
  local first = elements[1][k]
  if type(first) ~= "userdata" then
    local list = {}
    for i, e in ipairs(elements) do list[i] = e[k] end
    return element.strings(list)
  end
  local shape = padded_shape(elements, k, options.shapes and options.shapes[k])
  local items, missing = {}, first.dtype == "string" and "" or 0
  for i, e in ipairs(elements) do
    items[i] = pad_to(e[k], shape, options.values and options.values[k] or missing)
  end
  return engine.ops.stack(items, 1)
end

local function is_integral(dtype) return dtype:find "int" ~= nil end

-- Whether a value is of the part's type: what fills integers up is an integer.
local function fills(value, dtype)
  if engine.is_tensor(value) then return value.dtype == dtype and #value.shape == 0 end
  if dtype == "string" then return type(value) == "string" end
  if dtype == "bool" then return type(value) == "boolean" end
  return math.type(value) == "integer" or type(value) == "number" and not is_integral(dtype)
end

local function check_value(value, k, dtype)
  if fills(value, dtype) then return end
  errors.raise("padded_batch: padding_values: part %d is %s, but its padding value is %s", k, dtype,
    errors.describe(value))
end

local function check_shape(shape, k, type)
  if not structure.is_container(shape) then
    errors.raise("padded_batch: padded_shapes: expected a shape for part %d, got %s", k,
      errors.describe(shape))
  end
  if type.shape and #shape ~= #type.shape then
    errors.raise("padded_batch: padded_shapes: part %d has the shape %s, which %s does not fit", k,
      errors.shape(type.shape), errors.shape(shape))
  end
end

-- What is given for the parts of an element, by part: `given` follows the elements' structure.
local function by_part(name, given, form, out)
  if given == nil then return out end
  if type(form) == "number" then
    out[form] = given
    return out
  end
  if not structure.is_container(given) then
    errors.raise("padded_batch: %s: expected a table in the structure of the elements, got %s",
      name, errors.describe(given))
  end
  for key in pairs(given) do
    if form[key] == nil then
      errors.raise("padded_batch: %s: elements have no part '%s'", name, tostring(key))
    end
  end
  for key, place in pairs(form) do by_part(name, given[key], place, out) end
  return out
end

-- One value for all parts is none for strings, which are not filled up.
local function values_by_part(given, form, types)
  if structure.is_container(given) then return by_part("padding_values", given, form, {}) end
  local values = {}
  for k, part in ipairs(types) do
    if part.dtype ~= "string" or type(form) == "number" then values[k] = given end
  end
  return values
end

-- `padded_shapes` and `padding_values` by part, checked against the elements' types.
local function flat_options(form, types, options)
  local by = {shapes = by_part("padded_shapes", options.padded_shapes, form, {}),
    values = values_by_part(options.padding_values, form, types)}
  for k, type in ipairs(types) do
    if by.shapes[k] ~= nil then check_shape(by.shapes[k], k, type) end
    if by.values[k] ~= nil then check_value(by.values[k], k, type.dtype) end
  end
  return by
end

-- Sizes that are not declared are those of the largest entry, unless all are known to be equal.
local function padded_types(dataset, peek)
  local form, types = dataset.input:known_types(peek)
  if not form then return nil end
  local known = dataset.input:known_types() ~= nil
  local declared = flat_options(form, types, dataset.options).shapes
  local result = {}
  for k, type in ipairs(types) do
    local shape = {}
    for axis, size in ipairs(type.shape or {}) do
      local fixed = declared[k] and declared[k][axis]
      if fixed == -1 then fixed = None end
      shape[axis] = fixed or (known and size or None)
    end
    result[k] = {shape = shape, dtype = type.dtype}
  end
  return form, spec.batched(result,
    dataset.options.drop_remainder and dataset.options.batch_size or None)
end

batch.padded_batch = {
  name = "padded_batch",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    local flat
    return function()
      local elements = gather(fetch, options.batch_size, options.drop_remainder)
      if not elements then return nil end
      flat = flat or flat_options(elements[1].form, element.types(elements[1]), options)
      local result = {form = elements[1].form}
      for k = 1, #elements[1] do result[k] = padded_part(elements, k, flat) end
      return element.compute(result)
    end, close
  end,
  cardinality = function(dataset) return batches_of(dataset.input:count(), dataset.options) end,
  types = padded_types,
  check = flat_options,
}

---------------------------------------------------------------- taking apart

local function unbatched_types(dataset, peek)
  local form, types = dataset.input:known_types(peek)
  for _, type in ipairs(types or {}) do
    if type.shape and #type.shape == 0 then
      errors.raise("%s: %s has a part without a first axis to take apart", dataset.stage.name,
        spec.describe(form, types))
    end
  end
  return form, form and spec.unbatched(types)
end

batch.unbatch = {
  name = "unbatch",
  open = function(dataset)
    local fetch, close = dataset.input:open()
    local current, at, rows = nil, 0, 0
    return function()
      while at >= rows do
        current = fetch()
        if not current then return nil end
        at, rows = 0, element.rows("unbatch", current)
      end
      at = at + 1
      return element.row(current, at)
    end, close
  end,
  -- known where each batch has the same number of entries
  cardinality = function(dataset)
    local count = dataset.input:count()
    if count <= 0 then return count end
    local _, types = dataset.input:known_types()
    local rows = types and types[1] and types[1].shape and types[1].shape[1]
    return math.type(rows) == "integer" and count * rows or -2
  end,
  types = unbatched_types,
  lower = function(dataset)
    local before = dataset.input
    if before.stage ~= batch.batch then return nil end
    local description, count = before.input:lower(), before.input:count()
    if not description or not before.options.drop_remainder then return description end
    if count < 0 then return nil end
    local whole = count - count % before.options.batch_size
    return native.with(description, function() return {"take", whole} end)
  end,
}

batch.rebatch = {
  name = "rebatch",
  open = function(dataset)
    local options = dataset.options
    local rows, close = batch.unbatch.open(dataset)
    return function()
      local elements = gather(rows, options.batch_size, options.drop_remainder, "rebatch")
      return elements and element.stack("rebatch", elements)
    end, close
  end,
  cardinality = function(dataset)
    return dataset.input:count() == -1 and -1 or -2
  end,
  types = function(dataset, peek)
    local form, types = unbatched_types(dataset, peek)
    return form, form and spec.batched(types,
      dataset.options.drop_remainder and dataset.options.batch_size or None)
  end,
}

---------------------------------------------------------------- windows

-- Datasets in place of the parts: the window's entries of each.
local function window_element(elements, from_elements)
  local result = {form = elements[1].form}
  for k = 1, #elements[1] do
    local parts = {}
    for i, e in ipairs(elements) do parts[i] = {e[k], form = 1} end
    result[k] = from_elements(parts)
  end
  return result
end

batch.window = {
  name = "window",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    local reach = (options.size - 1) * options.stride + 1
    local buffer, ended = {}, false
    return function()
      while not ended and #buffer < math.max(reach, options.shift) do
        local one = fetch()
        buffer[#buffer + 1] = one
        ended = one == nil
      end
      local chosen = {}
      for i = 1, math.min(reach, #buffer), options.stride do chosen[#chosen + 1] = buffer[i] end
      if #chosen == 0 or options.drop_remainder and #chosen < options.size then return nil end
      buffer = table.move(buffer, options.shift + 1, #buffer, 1, {})
      return window_element(chosen, options.from_elements)
    end, close
  end,
  cardinality = function(dataset)
    local options, count = dataset.options, dataset.input:count()
    if count < 0 then return count end
    if not options.drop_remainder then return (count + options.shift - 1) // options.shift end
    return math.max(0, (count - ((options.size - 1) * options.stride + 1)) // options.shift + 1)
  end,
}

return batch
