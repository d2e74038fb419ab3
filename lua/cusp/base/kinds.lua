--- The kinds of arguments that a class or a function can declare. A kind defines which values it
-- accepts, how to describe them, and their form in a configuration. Only this file converts between
-- the 1-based axes of Lua and the 0-based ones of Keras's files. A declared parameter is a table:
--
--     {"rate", "number", min = 0, max = 1, default = 0.5, optional = true, keyword_only = true}
--
-- `optional` allows nil; a parameter that is optional or has a default may be omitted. Limits:
-- `min`, `max` (inclusive), `above`, `below` (exclusive), `choices`, `rank` (of "integers": one
-- integer is repeated that many times), `list_of` (a kind). In configurations, `transient` always
-- omits a parameter, and `omit_default` omits it while it has its default: Keras reads it, but
-- never writes it.
-- @module cusp.base.kinds
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"
local nulls = require "cusp.base.nulls"
local plain = require "cusp.base.plain"
local rooms = require "cusp.base.rooms"
local shapes = require "cusp.base.shape"

local kinds = {}
local known = {}

--- Adds a kind.
-- @tparam string name
-- @tparam table kind `check(value, parameter, owner)` returns whether the value is valid and, if it
-- must be converted, the value to store; `expects` is a text or a function of the parameter;
-- `to_config(value, parameter)` and `from_config(value, parameter)` convert (identity by default).
-- `is_list`: true if a table of plain values is one value of this kind; "integers" if only a table
-- of integers is; "pairs" if a table of lists of integers is, too
function kinds.define(name, kind)
  kind.name = name
  known[name] = kind
end

--- A kind by name.
function kinds.get(name)
  return known[name] or errors.raise("there is no kind of argument named '%s'%s",
    tostring(name), errors.suggestion(name, known))
end

--- The parameter's kind.
function kinds.of(parameter)
  local name = parameter.list_of and "list" or parameter[2] or "any"
  return known[name] or kinds.get(name)
end
local kind_of = kinds.of

--- Describes the expected value: "a positive integer", "one of "same", "valid"".
function kinds.expectation(parameter)
  local expects = kinds.of(parameter).expects
  if type(expects) == "function" then expects = expects(parameter) end
  return expects or ("a value of kind " .. tostring(parameter[2]))
end

--- A list as a plain table without holes.
local function settle_list(owner, parameter, value, kind)
  local what = ("%s: argument '%s'"):format(owner, parameter[1])
  if kind.is_list then lists.check(what, value) else lists.check_nested(what, value) end
  return lists.plain(value)
end

-- Null may be given for a flag, an activation or an initializer, but not for a number used in
-- computation.
local numeric = {number = true, float32 = true, axis = true, axes = true, learning_rate = true}

local function allows_null(parameter)
  return parameter.optional or parameter.default ~= nil and not numeric[kinds.of(parameter).name]
end

local is_object = {table = true, userdata = true} -- what may stand for null

--- Checks one argument. A parameter's `advice(value)` ends the message about a wrong value.
-- @tparam string owner name of the class or function, for the message
-- @tparam table parameter
-- @param value
-- @return the value to use
-- @raise "Dense: argument 'units' should be a positive integer, got string "a""
function kinds.check(owner, parameter, value)
  if value == nil then
    value = parameter.default
    if value == nil and parameter.optional then return nil end
    if value ~= nil and not kind_of(parameter).resolves_default then return value end
  elseif parameter[2] == "any" and engine.is_tensor(value) then
    return value
  elseif is_object[type(value)] and nulls.is(value) then
    if allows_null(parameter) then return nil end
    if parameter.default == nil then value = nil end
  end
  if value == nil then
    local expected = kinds.expectation(parameter)
    errors.raise("%s: argument '%s' is missing%s", owner, parameter[1],
      expected == "a value" and "" or "; it should be " .. expected)
  end
  local kind = kind_of(parameter)
  if type(value) == "table" then value = settle_list(owner, parameter, value, kind) end
  local ok, converted = kind.check(value, parameter, owner)
  if not ok then
    errors.raise("%s: argument '%s' should be %s%s, got %s%s", owner, parameter[1],
      kinds.expectation(parameter),
      parameter.optional and " or nil" or "", errors.describe(value),
      parameter.advice and parameter.advice(value) or "")
  end
  if converted == nil then return value end
  return converted
end

--- The value as written to a configuration; null for nil.
function kinds.to_config(parameter, value)
  if value == nil then return null end
  local kind = kinds.of(parameter)
  if kind.to_config then return kind.to_config(value, parameter) end
  return value
end

--- The value of a configuration as passed to a constructor; null stays null, so that it overrides a
-- default.
function kinds.from_config(parameter, value)
  if value == null or value == nil then return value end
  local kind = kinds.of(parameter)
  if kind.from_config then return kind.from_config(value, parameter) end
  return value
end

---------------------------------------------------------------- numbers, strings and the like

local function within(value, parameter)
  return (not parameter.min or value >= parameter.min)
    and (not parameter.max or value <= parameter.max)
    and (not parameter.above or value > parameter.above)
    and (not parameter.below or value < parameter.below)
end

local function limits(what, parameter)
  local low = parameter.min and plain.format("at least %s", parameter.min)
    or parameter.above and plain.format("above %s", parameter.above)
  local high = parameter.max and plain.format("at most %s", parameter.max)
    or parameter.below and plain.format("below %s", parameter.below)
  if parameter.min and parameter.max then
    return plain.format("%s between %s and %s", what, parameter.min, parameter.max)
  end
  if low and high then return plain.format("%s %s and %s", what, low, high) end
  return low and what .. " " .. low or high and what .. " " .. high or what
end

kinds.define("number", {
  check = function(value, parameter)
    return type(value) == "number" and (value ~= value or within(value, parameter))
  end,
  expects = function(parameter)
    if parameter.above == 0 and not parameter.max and not parameter.below then
      return "a positive number"
    end
    return limits("a number", parameter)
  end,
})

-- Keras keeps the value in a tensor, so its configuration has the tensor's rounded value.
kinds.define("float32", {
  check = kinds.get("number").check, expects = kinds.get("number").expects,
  to_config = function(value) return (("f"):unpack(("f"):pack(value))) end,
})

--- What a tensor of integers holds, a number or a list; anything else as it is.
local function plain_integers(value)
  local tensor = type(value) == "userdata" and engine.is_tensor(value) and value
  if not tensor or not tensor.dtype:find "int" or #tensor.shape > 1 then return value end
  return #tensor.shape == 0 and tensor:item() or tensor:tolist()
end

kinds.define("integer", {
  check = function(value, parameter)
    value = plain_integers(value)
    local integer = type(value) == "number" and math.tointeger(value)
    return integer and within(integer, parameter), integer or nil
  end,
  expects = function(parameter)
    if (parameter.min == 1 or parameter.above == 0) and not parameter.max then
      return "a positive integer"
    end
    return limits("an integer", parameter)
  end,
})

kinds.define("boolean", {check = function(value)
  return type(value) == "boolean"
end, expects = "true or false"})
kinds.define("string", {check = function(value)
  return type(value) == "string"
end, expects = "a string"})
kinds.define("any", {check = function() return true end, expects = "a value"})

local function list_choices(choices)
  local parts = {}
  for i, choice in ipairs(choices) do
    parts[i] = type(choice) == "string" and ("%q"):format(choice) or plain.tostring(choice)
  end
  return "one of " .. table.concat(parts, ", ")
end

kinds.define("choice", {
  check = function(value, parameter)
    for _, choice in ipairs(parameter.choices) do
      if choice == value then return true end
    end
    return false
  end,
  expects = function(parameter) return list_choices(parameter.choices) end,
})

--- Whether a value can be called.
function kinds.is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

--- Whether a value is a dataset.
function kinds.is_dataset(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__dataset") == true
end

kinds.define("function", {
  check = kinds.is_callable,
  expects = "a function",
  to_config = function(value) return require("cusp.base.registry").serialize(value) end,
  from_config = function(value)
    if type(value) == "table" and getmetatable(value) ~= nil and value.class_name == nil then
      return value
    end
    return type(value) == "table" and require("cusp.base.registry").deserialize(value) or value
  end,
})

---------------------------------------------------------------- lists

local is_plain = lists.is_container
kinds.is_plain = is_plain

local function integers(value)
  local result = {}
  for i = 1, #value do
    result[i] = type(value[i]) == "number" and math.tointeger(value[i]) or nil
    if not result[i] then return nil end
  end
  return result
end

kinds.define("integers", {
  is_list = "integers",
  resolves_default = true, -- one integer stands for as many as `rank`
  check = function(value, parameter)
    value = plain_integers(value)
    if type(value) == "number" then
      local integer = math.tointeger(value)
      if not integer or not within(integer, parameter) then return false end
      if not parameter.rank then return true, integer end
      local result = {}
      for i = 1, parameter.rank do result[i] = integer end
      return true, result
    end
    local list = is_plain(value) and integers(value)
    if not list or parameter.rank and #list ~= parameter.rank then return false end
    for _, integer in ipairs(list) do
      if not within(integer, parameter) then return false end
    end
    return true, list
  end,
  expects = function(parameter)
    local what = (parameter.min == 1 or parameter.above == 0) and "positive integer"
      or limits("integer", parameter)
    local article = what:find "^p" and "a " or "an "
    if parameter.rank then
      return ("%s%s or a list of %d of them"):format(article, what, parameter.rank)
    end
    return article .. what .. " or a list of them"
  end,
})

kinds.define("shape", {
  is_list = true,
  check = function(value, parameter)
    value = plain_integers(value)
    if type(value) == "number" and math.tointeger(value) and parameter.allow_integer then
      return true, {math.tointeger(value)}
    end
    if not is_plain(value) or next(value) ~= nil and #value == 0 then return false end
    local result = {}
    for i = 1, #value do
      local size = plain_integers(value[i])
      if size == null or size == shapes.None or size == false then size = shapes.None
      else size = type(size) == "number" and math.tointeger(size) end
      if not size then return false end
      result[i] = size
    end
    return true, result
  end,
  expects = "a shape (a table of integers, or cusp.None where a size is not known)",
  to_config = function(value)
    local result = {}
    for i = 1, #value do result[i] = value[i] == shapes.None and null or value[i] end
    return result
  end,
})

local function convert_items(parameter, convert)
  local item = {parameter[1], parameter.list_of}
  return function(value)
    if not is_plain(value) or not parameter.list_of then return value end
    local result = {}
    for i = 1, #value do result[i] = convert(item, value[i]) end
    return result
  end
end

kinds.define("list", {
  is_list = true,
  check = function(value, parameter, owner)
    if not is_plain(value) then return false end
    if not parameter.list_of then return true end
    local result, item = {},
      setmetatable({nil, parameter.list_of, list_of = false}, {__index = parameter})
    for i = 1, #value do
      item[1] = ("%s[%d]"):format(parameter[1], i)
      result[i] = kinds.check(owner, item, value[i])
    end
    return true, result
  end,
  expects = function(parameter)
    return parameter.list_of and "a list of kind " .. parameter.list_of or "a table"
  end,
  to_config = function(value, parameter)
    return convert_items(parameter, kinds.to_config)(value)
  end,
  from_config = function(value, parameter)
    return convert_items(parameter, kinds.from_config)(value)
  end,
})

---------------------------------------------------------------- axes: from 1 in Lua, from 0 in
---------------------------------------------------------------- configurations

--- Converts a 1-based axis to Keras's 0-based one; negative axes are unchanged.
function kinds.axis_to_config(axis) return axis > 0 and axis - 1 or axis end

--- Converts Keras's 0-based axis to Lua's.
function kinds.axis_from_config(axis) return axis >= 0 and axis + 1 or axis end

local function map_axes(convert)
  return function(value)
    if type(value) ~= "table" then return convert(value) end
    local result = {}
    for i = 1, #value do result[i] = map_axes(convert)(value[i]) end
    return result
  end
end

kinds.define("axis", {
  check = function(value)
    local axis = type(value) == "number" and math.tointeger(value)
    return axis and axis ~= 0, axis or nil
  end,
  expects = "an axis (counted from 1, or negative from the end)",
  to_config = kinds.axis_to_config,
  from_config = kinds.axis_from_config,
})

kinds.define("axes", {
  is_list = "integers",
  check = function(value)
    if type(value) == "number" then
      local axis = math.tointeger(value)
      return axis and axis ~= 0, axis or nil
    end
    local list = is_plain(value) and integers(value)
    if not list then return false end
    for _, axis in ipairs(list) do
      if axis == 0 then return false end
    end
    return true, list
  end,
  expects = "an axis or a list of axes (counted from 1, or negative from the end)",
  to_config = map_axes(kinds.axis_to_config),
  from_config = map_axes(kinds.axis_from_config),
})

---------------------------------------------------------------- dtypes and tensors

local dtypes = {}
for name in ([[float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64
  bool]]):gmatch "%w+" do
  dtypes[name] = true
end
kinds.dtypes = dtypes

local python_names = {int = "int32", float = "float32"}

--- The dtype that a name means: Python's own two among them.
function kinds.dtype(name) return python_names[name] or name end

--- The mode and the policy before it of a quantized policy's name, "int8_from_float32".
-- @treturn ?string mode
-- @treturn ?string
function kinds.quantized_dtype(name)
  if type(name) ~= "string" then return nil end
  return name:match "^(.-)_from_(.*)$"
end

kinds.define("dtype", {
  check = function(value, parameter)
    -- a DTypePolicy in Keras's serialised form, or one itself
    if is_plain(value) and type(value.config) == "table" then value = value.config.name end
    if type(value) == "table" and value.compute_dtype then value = value.name end
    if type(value) ~= "string" then return false end
    value = kinds.dtype(value)
    local is_policy = value:find "^mixed_" ~= nil or kinds.quantized_dtype(value) ~= nil
    return dtypes[value] or parameter.policy and is_policy
      or parameter.strings and value == "string", value
  end,
  expects = "a dtype such as \"float32\" or \"int64\"",
})

kinds.define("tensor", {
  check = function(value)
    local kind = type(value)
    return kind == "userdata" or kind == "number" or kind == "boolean" or kind == "table"
  end,
  expects = "a tensor, a number or a table of numbers",
})

---------------------------------------------------------------- objects that a namespace resolves

--- A kind whose values `cusp.NAMESPACE.get` resolves (names, objects, functions, serialised forms)
-- and `.serialize` writes.
-- @tparam string name of the kind
-- @tparam string namespace such as "initializers"
-- @tparam string expects
function kinds.define_resolved(name, namespace, expects)
  kinds.define(name, {
    resolves_default = true, -- a default is a name, too
    check = function(value, parameter, owner)
      local ok, got = engine.attempt(rooms.get(namespace).get, value)
      if not ok then
        errors.raise("%s: argument '%s': %s", owner, parameter[1],
          tostring(got):gsub("^[^\n]-:%d+: ", ""))
      end
      return got ~= nil, got
    end,
    expects = expects,
    to_config = function(value)
      if type(value) == "string" then return value end
      return rooms.get(namespace).serialize(value)
    end,
  })
end

kinds.define_resolved("initializer", "initializers",
  "an initializer, its name, or a function of a shape")
kinds.define_resolved("regularizer", "regularizers",
  "a regularizer, its name, or a function of a tensor")
kinds.define_resolved("constraint", "constraints",
  "a constraint, its name, or a function of a tensor")
kinds.define_resolved("activation", "activations", "an activation function or its name")
kinds.define_resolved("loss", "losses", "a loss, its name, or a function of (y_true, y_pred)")
kinds.define_resolved("metric", "metrics", "a metric, its name, or a function of (y_true, y_pred)")
kinds.define_resolved("optimizer", "optimizers", "an optimizer or its name")

kinds.define("layer", {
  check = function(value)
    if is_plain(value) and value.class_name then
      return true, rooms.get("layers").deserialize(value)
    end
    return type(value) == "table" and not is_plain(value) and kinds.is_callable(value)
  end,
  expects = "a layer",
  to_config = function(value) return rooms.get("layers").serialize(value) end,
})

return kinds
