--- Stages of several datasets: zip, concatenate.
-- @module cusp.data.stages.combine
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local native = require "cusp.data.machinery.native"
local spec = require "cusp.data.machinery.spec"

local combine = {}
local INFINITE, UNKNOWN = -1, -2

local function close_all(opened)
  for _, one in ipairs(opened) do one.close() end
end

--- Opens datasets; where one cannot be, those before it are closed.
-- @treturn {table,...} `next` and `close` of each
-- @treturn function that closes all
function combine.open_all(datasets)
  local opened = {}
  for i, dataset in ipairs(datasets) do
    local ok, fetch, close = pcall(dataset.open, dataset)
    if not ok then
      close_all(opened)
      error(fetch, 0)
    end
    opened[i] = {next = fetch, close = close}
  end
  return opened, function() close_all(opened) end
end

local function shift(form, by)
  if type(form) == "number" then return form + by end
  local result = {}
  for key, item in pairs(form) do result[key] = shift(item, by) end
  return result
end

-- `place` is the structure of the datasets (positions in a list); the parts' own structures go
-- into their places.
local function join_forms(place, forms, offsets)
  if type(place) == "number" then return shift(forms[place], offsets[place]) end
  local result = {}
  for key, item in pairs(place) do result[key] = join_forms(item, forms, offsets) end
  return result
end

local function zipped(place, elements)
  local result, forms, offsets = {}, {}, {}
  for i, e in ipairs(elements) do
    forms[i], offsets[i] = e.form, #result
    for k = 1, #e do result[#result + 1] = e[k] end
  end
  result.form = join_forms(place, forms, offsets)
  return result
end

local function smallest(datasets)
  local least = INFINITE
  for _, dataset in ipairs(datasets) do
    local count = dataset:count()
    if count == UNKNOWN then return UNKNOWN end
    if count ~= INFINITE and (least == INFINITE or count < least) then least = count end
  end
  return least
end

-- Bare rows side by side are rows again.
local function zip_rows(dataset)
  local rows, forms, offsets, tensors, columns, workers = {}, {}, {}, {}, 0, 1
  for i, input in ipairs(dataset.inputs) do
    local description = input:lower()
    if not description or #description.stages > 0 or next(description.transforms) then
      return nil
    end
    rows[i], forms[i], offsets[i] = description.rows, description.form, columns
    if tensors and description.tensors and description.rows.rows == rows[1].rows then
      table.move(description.tensors, 1, #description.types, columns + 1, tensors)
    else
      tensors = nil
    end
    columns = columns + #description.types
    workers = math.max(workers, description.workers)
  end
  return native.of_rows(engine.data.zip(rows), join_forms(dataset.options.place, forms, offsets),
    {workers = workers, tensors = tensors})
end

combine.zip = {
  name = "zip",
  open = function(dataset)
    local opened, close = combine.open_all(dataset.inputs)
    return function()
      local elements = {}
      for i, one in ipairs(opened) do
        elements[i] = one.next()
        if not elements[i] then return nil end
      end
      return zipped(dataset.options.place, elements)
    end, close
  end,
  cardinality = function(dataset) return smallest(dataset.inputs) end,
  types = function(dataset, peek)
    local forms, offsets, all = {}, {}, {}
    for i, input in ipairs(dataset.inputs) do
      local form, types = input:known_types(peek)
      if not form then return nil end
      forms[i], offsets[i] = form, #all
      table.move(types, 1, #types, #all + 1, all)
    end
    return join_forms(dataset.options.place, forms, offsets), all
  end,
  sample = function(dataset)
    local elements = {}
    for i, input in ipairs(dataset.inputs) do
      elements[i] = input:sample()
      if not elements[i] then return nil end
    end
    return zipped(dataset.options.place, elements)
  end,
  lower = zip_rows,
}

local function same_columns(a, b)
  if not element.same_form(a.form, b.form) or #a.types ~= #b.types then return false end
  for k = 1, #a.types do
    if a.types[k].dtype ~= b.types[k].dtype
      or errors.shape(a.types[k].shape) ~= errors.shape(b.types[k].shape) then
      return false
    end
  end
  return true
end

-- Why elements of two kinds cannot follow each other; nil where they can. Shapes may differ.
local function difference(form, types, other_form, others)
  if not element.same_form(form, other_form) then return "structure" end
  for k, type in ipairs(types) do
    if type.dtype ~= others[k].dtype then return "dtype" end
  end
end

--- Raises where it is known that the elements of two datasets differ.
-- @tparam[opt="concatenate"] string owner
function combine.check_alike(first, second, owner)
  local form, types = first:known_types()
  local other_form, others = second:known_types()
  local what = form and other_form and difference(form, types, other_form, others)
  if what then
    errors.raise("%s: the elements of the two datasets differ in %s: %s and %s",
      owner or "concatenate", what, spec.describe(form, types), spec.describe(other_form, others))
  end
end

combine.concatenate = {
  name = "concatenate",
  open = function(dataset)
    local which, fetch, close, first, number = 0, nil, nil, nil, 0
    local types
    return function()
      while true do
        local e = fetch and fetch()
        if e then
          first, number = first or e, number + 1
          types = types or element.types(first)
          local what = difference(first.form, types, e.form, element.types(e))
          if what then
            errors.raise("concatenate: element %d is %s, which has another %s than the first, %s",
              number, element.describe(e), what, element.describe(first))
          end
          return e
        end
        if close then close() end
        which = which + 1
        if not dataset.inputs[which] then
          fetch, close = nil, nil
          return nil
        end
        fetch, close = dataset.inputs[which]:open()
      end
    end, function()
      if close then close() end
    end
  end,
  cardinality = function(dataset)
    local total = 0
    for _, input in ipairs(dataset.inputs) do
      local count = input:count()
      if count < 0 then return count end
      total = total + count
    end
    return total
  end,
  types = function(dataset, peek)
    local form, types = dataset.inputs[1]:known_types(peek)
    local other_form, other = dataset.inputs[2]:known_types(peek)
    if not form or not other_form then return nil end
    if not element.same_form(form, other_form) then return nil end
    types = spec.common(types, other)
    return types and form, types
  end,
  sample = function(dataset)
    return dataset.inputs[1]:sample() or dataset.inputs[2]:sample()
  end,
  lower = function(dataset)
    local first, second = dataset.inputs[1]:lower(), dataset.inputs[2]:lower()
    if not first or not second or #first.stages > 0 or #second.stages > 0 or next(first.transforms)
      or next(second.transforms) then
      return nil
    end
    if not same_columns(first, second) then return nil end
    return native.of_rows(engine.data.concatenate{first.rows, second.rows}, first.form,
      {workers = math.max(first.workers, second.workers)})
  end,
}

return combine
