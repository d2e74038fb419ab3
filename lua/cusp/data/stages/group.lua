--- Stages that look at elements beside each other: group_by_window, ragged_batch, unique, scan; and
-- ignore_errors.
-- @module cusp.data.stages.group
local batch = require "cusp.data.stages.batch"
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local map = require "cusp.data.stages.map"
local native = require "cusp.data.machinery.native"
local shapes = require "cusp.base.shape"
local warnings = require "cusp.base.warnings"

local group = {}
local UNKNOWN, None = -2, shapes.None

---------------------------------------------------------------- group_by_window

-- The integer that a function gave.
local function integer(owner, what, value)
  local number = engine.is_tensor(value) and #value.shape == 0 and value:item() or value
  number = math.type(number) and math.tointeger(number)
  if not number then
    errors.raise("%s: %s should return an integer, got %s", owner, what, errors.describe(value))
  end
  return number
end

local function window_size(options, key)
  local size = options.window_size
    or integer("group_by_window", "window_size_func", options.window_size_func(key))
  if size < 1 then
    errors.raise("group_by_window: a window has 1 element or more, got a size of %d for key %d",
      size, key)
  end
  return size
end

local function reduced(dataset, key, elements)
  local options = dataset.options
  local made = options.reduce_func(key, options.from_elements(elements))
  if not kinds.is_dataset(made) then
    errors.raise("group_by_window: reduce_func should return a Dataset for key %d, got %s", key,
      errors.describe(made))
  end
  return made
end

-- The groups in the order in which they are full, then the others by their keys.
local function groups_of(dataset, fetch)
  local options, groups, number, left = dataset.options, {}, 0, nil
  local function put(e)
    number = number + 1
    local key = integer("group_by_window", "key_func",
      map.call("group_by_window", number, options.key_func, element.values(e)))
    local found = groups[key] or {size = window_size(options, key)}
    groups[key] = found
    found[#found + 1] = e
    if #found < found.size then return nil end
    groups[key] = nil
    return key, found
  end
  return function()
    while not left do
      local e = fetch()
      if not e then left = lists.keys(groups) break end
      local key, full = put(e)
      if full then return key, full end
    end
    local key = table.remove(left, 1)
    return key, groups[key]
  end
end

group.by_window = {
  name = "group_by_window",
  open = function(dataset)
    local fetch, close = dataset.input:open()
    local next_group = groups_of(dataset, fetch)
    local inner, close_inner
    return function()
      while true do
        local e = inner and inner()
        if e then return e end
        local key, elements = next_group()
        if not key then return nil end
        inner, close_inner = reduced(dataset, key, elements):open()
      end
    end, function()
      if close_inner then close_inner() end
      close()
    end
  end,
  cardinality = function() return UNKNOWN end,
  types = map.types_by_sample(function(dataset, e)
    local key = integer("group_by_window", "key_func",
      map.call("group_by_window", 1, dataset.options.key_func, element.values(e)))
    return reduced(dataset, key, {e}):known_types(true)
  end),
}

---------------------------------------------------------------- ragged_batch

-- Whether a part's shape is known beforehand, so that it is put into batches as ever.
local function known_parts(dataset)
  local _, types = dataset.input:known_types()
  local known = {}
  for k, type in ipairs(types or {}) do
    known[k] = type.shape ~= nil
    for _, size in ipairs(type.shape or {}) do known[k] = known[k] and size ~= None end
  end
  return known
end

local function is_scalar(e, k) return #element.type_of(e[k]).shape == 0 end

local function ragged_form(form, ragged, places)
  if type(form) == "number" then
    if not ragged[form] then return places[form] end
    return {values = places[form], row_splits = places[form] + 1}
  end
  local result = {}
  for key, item in pairs(form) do result[key] = ragged_form(item, ragged, places) end
  return result
end

local function joined_strings(elements, k)
  local all = {}
  for _, e in ipairs(elements) do table.move(e[k], 1, #e[k], #all + 1, all) end
  return element.strings(all)
end

local function check_entries(elements, k)
  local first = element.type_of(elements[1][k])
  for i, e in ipairs(elements) do
    local own = element.type_of(e[k])
    local fits = own.dtype == first.dtype and #own.shape == #first.shape
    for axis = 2, #first.shape do fits = fits and own.shape[axis] == first.shape[axis] end
    if not fits then
      errors.raise("ragged_batch: element %d of the batch is %s, the first is %s; expected parts "
        .. "that differ in their first axis alone", i, element.describe(e),
        element.describe(elements[1]))
    end
  end
end

-- The entries of all elements in one tensor, and where each element's begin and end.
local function ragged_part(elements, k)
  check_entries(elements, k)
  local splits, parts = {0}, {}
  for i, e in ipairs(elements) do
    splits[i + 1] = splits[i] + element.type_of(e[k]).shape[1]
    parts[i] = e[k]
  end
  local values = element.is_strings(parts[1]) and joined_strings(elements, k)
    or engine.ops.concatenate(parts, 1)
  return values, engine.tensor(splits, {dtype = "int64"})
end

local function ragged(elements, known)
  local first = elements[1]
  local result, is_ragged, places = {}, {}, {}
  for k = 1, #first do
    places[k], is_ragged[k] = #result + 1, not known[k] and not is_scalar(first, k)
    if is_ragged[k] then
      result[#result + 1], result[#result + 2] = ragged_part(elements, k)
    else
      local parts = {}
      for i, e in ipairs(elements) do parts[i] = {e[k], form = 1} end
      result[#result + 1] = element.stack("ragged_batch", parts)[1]
    end
  end
  result.form = ragged_form(first.form, is_ragged, places)
  return element.compute(result)
end

group.ragged_batch = {
  name = "ragged_batch",
  open = function(dataset)
    local options, fetch, close = dataset.options, dataset.input:open()
    local known = known_parts(dataset)
    return function()
      local elements = batch.gather(fetch, options.batch_size, options.drop_remainder)
      if not elements then return nil end
      element.check_forms("ragged_batch", elements)
      return ragged(elements, known)
    end, close
  end,
  cardinality = batch.batch.cardinality,
}

---------------------------------------------------------------- unique

local comparable = {int32 = true, int64 = true, string = true}

--- Raises for types whose elements are not compared.
local function check_comparable(types)
  for _, type in ipairs(types) do
    if not comparable[type.dtype] then
      errors.raise("unique: elements of %s are not compared; expected int32, int64 or strings",
        type.dtype)
    end
  end
end

local function key_of(e)
  local parts = {}
  for k = 1, #e do
    local leaf = e[k]
    local list = element.is_strings(leaf) and leaf or {type(leaf) == "string" and leaf or nil}
    if type(leaf) == "userdata" then
      list = leaf.dtype == "string" and leaf:flat() or {leaf:tobytes()}
    end
    parts[k] = errors.shape(element.type_of(leaf).shape)
    for _, text in ipairs(list) do parts[k] = parts[k] .. ("<s8"):pack(text) end
  end
  return table.concat(parts)
end

group.unique = {
  name = "unique",
  open = function(dataset)
    local fetch, close = dataset.input:open()
    local seen = {}
    return function()
      while true do
        local e = fetch()
        if not e then return nil end
        check_comparable(element.types(e))
        local key = key_of(e)
        if not seen[key] then
          seen[key] = true
          return e
        end
      end
    end, close
  end,
  cardinality = function() return UNKNOWN end,
  types = function(dataset, peek) return dataset.input:known_types(peek) end,
  sample = function(dataset) return dataset.input:sample() end,
  check = check_comparable,
}

---------------------------------------------------------------- scan

local function state_type(state)
  return engine.is_tensor(state) and state.dtype or math.type(state) or type(state)
end

-- A number may become a scalar: arithmetic with elements makes tensors of it.
local function can_follow(state, next_state)
  return state_type(state) == state_type(next_state)
    or type(state) == "number" and engine.is_tensor(next_state) and next_state.ndim == 0
      and next_state.dtype ~= "bool"
end

-- The next state, and the element made with it.
local function scanned(dataset, number, state, e)
  local function take(next_state, ...)
    if next_state == nil then map.forgotten("scan", number) end
    if select("#", ...) == 0 then
      errors.raise("scan: the function should return the new state and an element at element %d; "
        .. "there is no element", number)
    end
    if not can_follow(state, next_state) then
      errors.raise("scan: the state is %s, but the function returned %s at element %d",
        errors.describe(state), errors.describe(next_state), number)
    end
    if engine.is_tensor(next_state) then engine.evaluate{next_state} end
    return next_state,
      element.compute(element.of_values(("scan (element %d)"):format(number), ...))
  end
  return take(map.call("scan", number, dataset.options.scan_func, state, element.values(e)))
end

group.scan = {
  name = "scan",
  open = function(dataset)
    local fetch, close = dataset.input:open()
    local state, number = dataset.options.initial_state, 0
    return function()
      local e = fetch()
      if not e then return nil end
      number = number + 1
      local made
      state, made = scanned(dataset, number, state, e)
      return made
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
  types = map.types_by_sample(function(dataset, e)
    return map.copied_types((select(2, scanned(dataset, 1, dataset.options.initial_state, e))))
  end),
  sample = function(dataset)
    local e = dataset.input:sample()
    return e and select(2, scanned(dataset, 1, dataset.options.initial_state, e))
  end,
}

---------------------------------------------------------------- ignore_errors

-- Elements of the engine's threads one by one, so that a row that fails takes no other with it.
local function open_native(description)
  local pipeline = native.open(description, nil, true)
  local function take(first, ...)
    if first ~= nil then return {first, form = description.form, ...} end
  end
  return function() return take(pipeline:next()) end, function() pipeline:close() end,
    function() return pipeline:skip() end
end

local function open_input(dataset)
  local description = dataset.input:lower()
  if description then return open_native(description) end
  return dataset.input:open()
end

group.ignore_errors = {
  name = "ignore_errors",
  open = function(dataset)
    local fetch, close, skip = open_input(dataset)
    return function()
      while true do
        local ok, e = engine.attempt(fetch)
        if ok then return e end
        if skip and not skip() then error(e, 0) end
        if dataset.options.log_warning then
          warnings.warn("ignore_errors: an element was left out: %s", tostring(e))
        end
      end
    end, close
  end,
  cardinality = function() return UNKNOWN end,
  types = function(dataset, peek) return dataset.input:known_types(peek) end,
  sample = function(dataset)
    local ok, e = engine.attempt(dataset.input.sample, dataset.input)
    return ok and e or nil
  end,
}

return group
