--- Stages that call a function of the user's: map, filter, take_while, flat_map, interleave; and
-- enumerate and rescale, which need none. Functions run in the program's own thread, as plain Lua,
-- once for each element.
-- @module cusp.data.stages.map
local element = require "cusp.data.machinery.element"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local native = require "cusp.data.machinery.native"

local map = {}
local UNKNOWN = -2

-- What was raised, and by which class where it is an object.
local function reason(raised)
  if type(raised) == "string" then return raised end
  local meta = getmetatable(raised)
  local class = type(meta) == "table" and (meta.__name or "") or type(raised)
  return ("%s: %s"):format(class, tostring(raised))
end

--- Calls a function of the user's with an element's parts; errors say at which element.
-- @treturn string|nil the values are returned as by pcall otherwise
function map.call(owner, number, f, ...)
  local results = table.pack(xpcall(f, function(raised)
    if engine.is_interrupt(raised) then return raised end
    return {text = ("%s: the function raised an error at element %d: %s"):format(owner, number,
      reason(raised))}
  end, ...))
  if not results[1] then error(type(results[2]) == "table" and results[2].text or results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- Opens the input with a counter of its elements.
local function counted(dataset)
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
    local fetch, close = counted(dataset)
    local f = dataset.options.map_func
    return function()
      local e, number = fetch()
      if not e then return nil end
      local owner = ("map (element %d)"):format(number)
      return element.compute(element.of_values(owner,
        map.call("map", number, f, element.values(e))))
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
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

local function keeps_types(dataset) return dataset.input:known_types() end

map.filter = {
  name = "filter",
  open = function(dataset)
    local fetch, close = counted(dataset)
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
}

map.take_while = {
  name = "take_while",
  open = function(dataset)
    local fetch, close = counted(dataset)
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
}

---------------------------------------------------------------- data sets of data sets

-- The data set that a function made of an element, opened.
local function open_inner(owner, number, f, e)
  local inner = map.call(owner, number, f, element.values(e))
  if not kinds.is_dataset(inner) then
    errors.raise("%s: the function should return a Dataset at element %d, got %s", owner, number,
      errors.describe(inner))
  end
  return inner:open()
end

map.flat_map = {
  name = "flat_map",
  open = function(dataset)
    local fetch, close = counted(dataset)
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
}

map.interleave = {
  name = "interleave",
  open = function(dataset)
    local fetch, close = counted(dataset)
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
}

---------------------------------------------------------------- without functions

map.enumerate = {
  name = "enumerate",
  open = function(dataset)
    local fetch, close = counted(dataset)
    local start = dataset.options.start
    return function()
      local e, number = fetch()
      if not e then return nil end
      local function shifted(form)
        if type(form) == "number" then return form + 1 end
        local result = {}
        for key, item in pairs(form) do result[key] = shifted(item) end
        return result
      end
      local index = engine.tensor(start + number - 1, {dtype = "int64"})
      return {index, form = {1, shifted(e.form)}, table.unpack(e)}
    end, close
  end,
  cardinality = function(dataset) return dataset.input:count() end,
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
