--- Stages that put elements together and take them apart: batch, padded_batch, unbatch, rebatch,
-- window.
-- @module cusp.data.stages.batch
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local native = require "cusp.data.machinery.native"
local shapes = require "cusp.base.shape"
local spec = require "cusp.data.machinery.spec"

local batch = {}
local None = shapes.None

-- Up to `size` elements; nil at the end.
local function gather(fetch, size, drop_remainder)
  local elements = {}
  while #elements < size do
    local one = fetch()
    if not one then break end
    elements[#elements + 1] = one
  end
  if #elements == 0 or drop_remainder and #elements < size then return nil end
  return elements
end

local function batches_of(count, options)
  if count < 0 then return count end
  return options.drop_remainder and count // options.batch_size
    or (count + options.batch_size - 1) // options.batch_size
end

local function batched_types(dataset)
  local form, types = dataset.input:known_types()
  if not form then return nil end
  return form, spec.batched(types,
    dataset.options.drop_remainder and dataset.options.batch_size or None)
end

batch.batch = {
  name = "batch",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    return function()
      local elements = gather(fetch, options.batch_size, options.drop_remainder)
      return elements and element.stack("batch", elements)
    end, close
  end,
  cardinality = function(dataset) return batches_of(dataset.input:count(), dataset.options) end,
  types = batched_types,
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
  local items = {}
  for i, e in ipairs(elements) do
    items[i] = pad_to(e[k], shape, options.values and options.values[k] or 0)
  end
  return engine.ops.stack(items, 1)
end

-- `padded_shapes` and `padding_values` follow the structure of the elements; they are flattened
-- once the first element is there.
local function flat_options(form, options)
  local function shape_leaves(value, place, out)
    if value == nil then return end
    if type(place) == "number" then
      out[place] = value
      return
    end
    for key, item in pairs(place) do shape_leaves(value[key], item, out) end
  end
  local shapes_by_part, values = {}, {}
  shape_leaves(options.padded_shapes, form, shapes_by_part)
  if type(options.padding_values) == "table" then
    shape_leaves(options.padding_values, form, values)
  elseif options.padding_values ~= nil then
    setmetatable(values, {__index = function() return options.padding_values end})
  end
  return {shapes = shapes_by_part, values = values}
end

batch.padded_batch = {
  name = "padded_batch",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    local flat
    return function()
      local elements = gather(fetch, options.batch_size, options.drop_remainder)
      if not elements then return nil end
      flat = flat or flat_options(elements[1].form, options)
      local result = {form = elements[1].form}
      for k = 1, #elements[1] do result[k] = padded_part(elements, k, flat) end
      return element.compute(result)
    end, close
  end,
  cardinality = function(dataset) return batches_of(dataset.input:count(), dataset.options) end,
}

---------------------------------------------------------------- taking apart

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
  cardinality = function(dataset)
    local count = dataset.input:count()
    return count <= 0 and count or -2
  end,
  types = function(dataset)
    local form, types = dataset.input:known_types()
    return form, form and spec.unbatched(types)
  end,
  lower = function(dataset)
    local before = dataset.input
    if before.stage ~= batch.batch or before.options.drop_remainder then return nil end
    return before.input:lower()
  end,
}

batch.rebatch = {
  name = "rebatch",
  open = function(dataset)
    local options = dataset.options
    local rows, close = batch.unbatch.open(dataset)
    return function()
      local elements = gather(rows, options.batch_size, options.drop_remainder)
      return elements and element.stack("rebatch", elements)
    end, close
  end,
  cardinality = function() return -2 end,
  types = function(dataset)
    local form, types = dataset.input:known_types()
    return form, form and spec.batched(spec.unbatched(types),
      dataset.options.drop_remainder and dataset.options.batch_size or None)
  end,
}

---------------------------------------------------------------- windows

-- Data sets in place of the parts: the window's entries of each.
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
