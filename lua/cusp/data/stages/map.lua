--- Stages that call a function of the user's: map, filter, take_while, flat_map, interleave; and
-- enumerate and rescale, which need none. Functions run in the program's own thread, as plain Lua,
-- once for each element.
-- @module cusp.data.stages.map
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local native = require "cusp.data.machinery.native"
local shapes = require "cusp.base.shape"

local map = {}
local UNKNOWN, None = -2, shapes.None

local function explained(owner, number, raised)
  return ("%s: the function raised an error at element %d: %s"):format(owner, number, raised)
end

--- Calls a function of the user's with an element's parts.
-- @return what it returns
-- @raise text says at which element; whatever else is raised comes as it is
function map.call(owner, number, f, ...)
  local results = table.pack(xpcall(f, function(raised)
    if type(raised) ~= "string" or engine.is_interrupt(raised) then return raised end
    return explained(owner, number, raised)
  end, ...))
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Raises for a function that returned nothing.
function map.forgotten(owner, number)
  errors.raise("%s: the function returned nothing at element %d; is a `return` missing in it?",
    owner, number)
end

local function returned(owner, number, first, ...)
  if first == nil and select("#", ...) == 0 then map.forgotten(owner, number) end
  return element.compute(element.of_values(("%s (element %d)"):format(owner, number), first, ...))
end

-- What the function makes of an element of the input.
local function mapped(owner, dataset, number, e)
  return returned(owner, number,
    map.call(owner, number, dataset.options.map_func, element.values(e)))
end

---------------------------------------------------------------- types

-- Sizes that differ from element to element of the input do so in what is made of it: those at the
-- same axis with the same size in the sample.
local function with_unknown_sizes(types, e, input_types)
  for k, input in ipairs(input_types or {}) do
    for axis, size in ipairs(input.shape or {}) do
      local sampled = size == None and element.type_of(e[k]).shape[axis]
      for _, type in ipairs(types) do
        if sampled and type.shape[axis] == sampled then type.shape[axis] = None end
      end
    end
  end
  return types
end

-- The types of what a function makes of a sample, which is made once.
function map.types_by_sample(make)
  return function(dataset, peek)
    local options = dataset.options
    if not peek then return nil end
    if options.sampled then return options.sampled.form, options.sampled.types end
    local e = dataset.input:sample()
    if not e then return nil end
    local form, types = make(dataset, e)
    local _, input_types = dataset.input:known_types(true)
    if types then types = with_unknown_sizes(types, e, input_types) end
    options.sampled = form and {form = form, types = types}
    return form, types
  end
end

-- Form and types of an element, to be changed.
function map.copied_types(e)
  local types = element.types(e)
  for _, type in ipairs(types) do type.shape = table.move(type.shape, 1, #type.shape, 1, {}) end
  return e.form, types
end

--- Opens the input of a dataset with a counter of its elements.
-- @treturn function gives an element and its number, which counts from 1
-- @treturn function closes the input
function map.counted(dataset)
  local fetch, close = dataset.input:open()
  local number = 0
  return function()
    local e = fetch()
    if e then number = number + 1 end
    return e, number
  end, close
end

map.map = {
  name = "map",
  open = function(dataset)
    local fetch, close = map.counted(dataset)
    return function()
      local e, number = fetch()
      return e and mapped("map", dataset, number, e)
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
  types = map.types_by_sample(function(dataset, e)
    return map.copied_types(mapped("map", dataset, 1, e))
  end),
  sample = function(dataset)
    local e = dataset.input:sample()
    return e and mapped("map", dataset, 1, e)
  end,
}

-- The boolean that a predicate gave.
local function truth(owner, number, value)
  if type(value) == "userdata" and engine.is_tensor(value) and #value.shape == 0 then
    value = value:item()
  end
  if type(value) ~= "boolean" then
    errors.raise("%s: the function should return true or false at element %d, got %s", owner,
      number, errors.describe(value))
  end
  return value
end

local function keeps_types(dataset, peek) return dataset.input:known_types(peek) end
local function sample_of_input(dataset) return dataset.input:sample() end

map.filter = {
  name = "filter",
  open = function(dataset)
    local fetch, close = map.counted(dataset)
    local predicate = dataset.options.predicate
    return function()
      while true do
        local e, number = fetch()
        if not e then return nil end
        if truth("filter", number, (map.call("filter", number, predicate, element.values(e)))) then
          return e
        end
      end
    end, close
  end,
  cardinality = function() return UNKNOWN end,
  types = keeps_types,
  sample = sample_of_input,
}

map.take_while = {
  name = "take_while",
  open = function(dataset)
    local fetch, close = map.counted(dataset)
    local predicate, ended = dataset.options.predicate, false
    return function()
      local e, number
      if not ended then e, number = fetch() end
      ended = not e or not truth("take_while", number,
        (map.call("take_while", number, predicate, element.values(e))))
      if not ended then return e end
    end, close
  end,
  cardinality = function() return UNKNOWN end,
  types = keeps_types,
  sample = sample_of_input,
}

---------------------------------------------------------------- datasets of datasets

-- The dataset that a function made of an element.
local function inner_of(owner, number, f, e)
  local inner = map.call(owner, number, f, element.values(e))
  if not kinds.is_dataset(inner) then
    errors.raise("%s: the function should return a Dataset at element %d, got %s", owner, number,
      errors.describe(inner))
  end
  return inner
end

local function open_inner(...) return inner_of(...):open() end

local function types_of_inner(owner)
  return map.types_by_sample(function(dataset, e)
    return inner_of(owner, 1, dataset.options.map_func, e):known_types(true)
  end)
end

map.flat_map = {
  name = "flat_map",
  open = function(dataset)
    local fetch, close = map.counted(dataset)
    local inner, close_inner
    return function()
      while true do
        local result = inner and inner()
        if result then return result end
        local e, number = fetch()
        if not e then return nil end
        inner, close_inner = open_inner("flat_map", number, dataset.options.map_func, e)
      end
    end, function()
      if close_inner then close_inner() end
      close()
    end
  end,
  cardinality = function() return UNKNOWN end,
  types = types_of_inner "flat_map",
}

map.interleave = {
  name = "interleave",
  open = function(dataset)
    local fetch, close = map.counted(dataset)
    local options, open, at, given, exhausted = dataset.options, {}, 1, 0, false

    local function refill(place)
      local e, number
      if not exhausted then e, number = fetch() end
      if not e then
        exhausted = true
        open[place] = false
        return
      end
      local inner, close_inner = open_inner("interleave", number, options.map_func, e)
      open[place] = {next = inner, close = close_inner}
    end

    local function advance() at, given = at % options.cycle_length + 1, 0 end

    -- An input that ends within its block gives way to the next place; its own is refilled when its
    -- turn comes again.
    return function()
      local idle = 0
      while idle < options.cycle_length do
        if open[at] == nil then refill(at) end
        local current = open[at]
        local result = current and given < options.block_length and current.next() or nil
        if result then
          given = given + 1
          return result
        end
        if current and given < options.block_length then open[at] = nil end
        idle = current and 0 or idle + 1
        advance()
      end
    end, function()
      for _, current in pairs(open) do
        if current then current.close() end
      end
      close()
    end
  end,
  cardinality = function() return UNKNOWN end,
  types = types_of_inner "interleave",
}

---------------------------------------------------------------- without functions

--- A form with one more part before its own.
function map.shifted(form)
  if type(form) == "number" then return form + 1 end
  local result = {}
  for key, item in pairs(form) do result[key] = map.shifted(item) end
  return result
end

map.enumerate = {
  name = "enumerate",
  open = function(dataset)
    local fetch, close = map.counted(dataset)
    local start = dataset.options.start
    return function()
      local e, number = fetch()
      if not e then return nil end
      local index = engine.tensor(start + number - 1, {dtype = "int64"})
      return {index, form = {1, map.shifted(e.form)}, table.unpack(e)}
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
  types = function(dataset, peek)
    local form, types = dataset.input:known_types(peek)
    if not form then return nil end
    return {1, map.shifted(form)}, {{shape = {}, dtype = "int64"}, table.unpack(types)}
  end,
}

-- Positions of the parts that a name or a position at the top of the structure stands for.
local function chosen_parts(owner, form, component)
  local chosen = form
  if component ~= nil then
    chosen = type(form) == "table" and form[component] or component == 1 and form == 1 and form
      or nil
    if chosen == nil then
      errors.raise("%s: an element has no component %s", owner, tostring(component))
    end
  elseif type(form) == "table" and #form > 0 then
    chosen = form[1]
  end
  local positions = {}
  local function collect(part)
    if type(part) == "number" then positions[#positions + 1] = part return end
    for _, item in pairs(part) do collect(item) end
  end
  collect(chosen)
  return positions
end

map.rescale = {
  name = "rescale",
  open = function(dataset)
    local fetch, close = dataset.input:open()
    local options, positions = dataset.options, nil
    return function()
      local e = fetch()
      if not e then return nil end
      positions = positions or chosen_parts("rescale", e.form, options.component)
      local result = {form = e.form, table.unpack(e)}
      for _, k in ipairs(positions) do
        if type(e[k]) ~= "userdata" then
          errors.raise("rescale: expected a tensor, got %s", errors.describe(e[k]))
        end
        local value = engine.ops.cast(e[k], options.dtype)
        if options.scale ~= 1 or options.offset ~= 0 then
          value = value * options.scale + options.offset
        end
        result[k] = engine.ops.cast(value, options.dtype)
      end
      return element.compute(result)
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
  types = function(dataset, peek)
    local form, types = dataset.input:known_types(peek)
    if not form then return nil end
    types = table.move(types, 1, #types, 1, {})
    for _, k in ipairs(chosen_parts("rescale", form, dataset.options.component)) do
      types[k] = {shape = types[k].shape, dtype = dataset.options.dtype}
    end
    return form, types
  end,
  -- Two of them in a row, or one after another dtype was chosen, are one only where the first keeps
  -- floats.
  lower = function(dataset)
    local options, description = dataset.options, dataset.input:lower()
    if not description then return nil end
    description = native.copy(description)
    for _, k in ipairs(chosen_parts("rescale", description.form, options.component)) do
      if description.transforms[k] then return nil end
      description.transforms[k] = {dtype = options.dtype, scale = options.scale,
        offset = options.offset}
    end
    return description
  end,
}

return map
