--- The calling convention: positional arguments, keyword arguments in a last table, or a single
-- table.
--
--     f(x, 2)                 f(x, {axis = 2})            f{x, axis = 2}
--
-- In a single table, the array part holds the positional arguments and the string keys are keyword
-- arguments. If the first parameter is itself a list, the array part is that list (`zeros{2, 3}`,
-- `Reshape{-1, 4}`), unless its items are tables (`zeros{{2, 3}, dtype = "int32"}`). Classes get
-- their arguments as a proxy that records reads, so that unused arguments can be reported.
-- Functions get theirs by position (`arguments.bind`).
-- @module cusp.base.arguments
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"
local plain = require "cusp.base.plain"

local arguments = {}
local is_plain = kinds.is_plain

---------------------------------------------------------------- taking a call apart

local function holds_integers(t, length, nested)
  for i = 1, length do
    local item = t[i]
    if not math.tointeger(item)
      and not (nested and is_plain(item) and holds_integers(item, #item)) then
      return false
    end
  end
  return true
end

--- Whether the array part of a table is one list rather than separate arguments. For an integer, or
-- a list of integers, a table of several integers is that list.
local function is_list_itself(t, length, as_list, keyed)
  if not as_list or length == 0 and keyed then return false end
  if type(as_list) == "function" then return as_list(t) end
  if as_list == "integers" or as_list == "pairs" then
    return length > 1 and holds_integers(t, length, as_list == "pairs")
  end
  return as_list == "nested" or length == 0 or not is_plain(t[1])
end

--- Moves the array part of `t` to `positional` after index `n`, as one list or item by item.
local function take_array_part(t, positional, n, as_list, length, keyed)
  if is_list_itself(t, length, as_list, keyed) then
    positional[n + 1] = table.move(t, 1, length, 1, {})
    return n + 1
  end
  table.move(t, 1, length, n + 1, positional)
  return n + length
end

local function count_without_nils(positional, n)
  while n > 0 and positional[n] == nil do n = n - 1 end
  return n
end

--- Whether a last table may hold arguments; a list of a user's class is a value instead.
local function is_argument_table(value) return is_plain(value) and not lists.is_foreign(value) end

--- Splits the arguments of a call. A trailing nil, or a trailing empty table where no argument is
-- required, is ignored.
-- @tparam ?function|boolean|string list_at whether the parameter at a position is a list: a boolean
-- for the first, or a function of the position that also returns whether it is required. "nested":
-- a list whose items may be plain tables. "integers", "pairs": the parameter may also be an
-- integer. A class may have a function of the table that tells
-- @param ... the arguments
-- @treturn table positional arguments
-- @treturn integer how many
-- @treturn table keyword arguments (a fresh table)
function arguments.split(list_at, ...)
  local positional, keywords = {...}, {}
  local n = count_without_nils(positional, select("#", ...))
  local last = positional[n]
  if n == 0 or not is_argument_table(last) then return positional, n, keywords end
  local length, keyed = engine.scan_arguments(last) -- beyond holes: an argument may be nil
  local as_list, needed
  if type(list_at) == "function" then
    as_list, needed = list_at(n)
  elseif n == 1 then
    as_list = list_at
  end
  if n > 1 and not keyed then
    if next(last) ~= nil or needed then return positional, n, keywords end
    positional[n] = nil
    return positional, count_without_nils(positional, n - 1), keywords
  end
  if keyed then
    for key, value in next, last do
      if type(key) == "string" then keywords[key] = value end
    end
  end
  positional[n] = nil
  return positional, take_array_part(last, positional, n - 1, as_list, length, keyed), keywords
end

---------------------------------------------------------------- what a class declares

local declarations = setmetatable({}, {__mode = "k"})

local function raw_config(class) return rawget(class, "config") end

--- A class's parameters in their positional order: that of its `config`, or the names in
-- `positional_order`, where Keras's signature has another. "name" needs no declaration.
local function in_order(owner, config, named)
  local result = {}
  for _, parameter in ipairs(config) do
    if not parameter.keyword_only then result[#result + 1] = parameter end
  end
  local names = owner and rawget(owner, "positional_order")
  if not names then return result end
  result = {}
  for name in names:gmatch "%S+" do
    result[#result + 1] = named[name] or {name, "any", optional = true}
  end
  return result
end

--- What is known of a class's arguments: `positional` (the declared parameters of the nearest class
-- with a `config`, in order), `named` (parameters of the whole chain by name), `index` (position by
-- name).
-- @tparam table class
-- @treturn table
function arguments.declaration(class)
  local found = declarations[class]
  if found and found.config == raw_config(class) then return found end
  local declaration = {config = raw_config(class), positional = {}, named = {}, index = {}}
  local nearest, owner
  local current = class
  while current do
    local config = raw_config(current)
    for _, parameter in ipairs(config or {}) do
      if declaration.named[parameter[1]] == nil then declaration.named[parameter[1]] = parameter end
    end
    if config and not nearest then nearest, owner = config, current end
    current = current.__super
  end
  declaration.positional = in_order(owner, nearest or {}, declaration.named)
  for position, parameter in ipairs(declaration.positional) do
    declaration.index[parameter[1]] = position
  end
  declarations[class] = declaration
  return declaration
end

local function is_needed(parameter)
  return parameter ~= nil and not parameter.optional and parameter.default == nil
end

--- How to split a class's arguments: whether its parameter at a position is a list, and whether it
-- is required.
local function list_at_of_class(class, declaration)
  return function(position)
    local parameter = declaration.positional[position]
    if position > 1 or class.first_is_list == nil then
      return parameter ~= nil and kinds.of(parameter).is_list or false, is_needed(parameter)
    end
    return class.first_is_list, is_needed(parameter)
  end
end

---------------------------------------------------------------- the proxy that notes what is read

local STATE = {} -- the key under which a proxy keeps what it stands for
local Arguments = {__name = "cusp.arguments"}

local function state_of(args) return rawget(args, STATE) end

function Arguments.__index(args, key)
  local state = state_of(args)
  local value
  if math.type(key) == "integer" then
    state.read[key] = true
    value = state.positional[key]
    local parameter = state.declaration.positional[key]
    if parameter then
      state.read[parameter[1]] = true
      if value == nil then value = state.keywords[parameter[1]] end
    end
  else
    state.read[key] = true
    value = state.keywords[key]
    local position = state.declaration.index[key]
    if position then
      state.read[position] = true
      if value == nil then value = state.positional[position] end
    end
  end
  if value == null then return nil end
  return value
end

function Arguments.__newindex(args, key, value)
  local state = state_of(args)
  local position = state.declaration.index[key]
  if math.type(key) == "integer" then
    state.positional[key] = value
    state.n = math.max(state.n, key)
  else
    if position then state.positional[position] = nil end
    state.keywords[key] = value
  end
  state.read[key] = true
end

function Arguments.__len(args)
  local state = state_of(args)
  for i = 1, state.n do state.read[i] = true end
  return state.n
end

function Arguments.__pairs(args)
  local state = state_of(args)
  local keys = {}
  for i = 1, state.n do
    if state.positional[i] ~= nil then keys[#keys + 1] = i end
  end
  for key in next, state.keywords do keys[#keys + 1] = key end
  local at = 0
  return function()
    at = at + 1
    local key = keys[at]
    if key ~= nil then return key, args[key] end
  end
end

function Arguments.__tostring(args)
  local state = state_of(args)
  return ("arguments of %s"):format(state.owner)
end

-- A class whose `init` is its own has first arguments of its own: a number is not the name that
-- its base, with `begins_with_text`, has there.
local function declaration_for(class, positional)
  local declaration = arguments.declaration(class)
  local declaring = class
  while declaring and not raw_config(declaring) do declaring = declaring.__super end
  local is_own = declaring and rawget(declaring, "begins_with_text")
    and declaring.init ~= class.init
    and positional[1] ~= nil and type(positional[1]) ~= "string"
  if not is_own then return declaration end
  return {config = declaration.config, positional = {}, named = declaration.named, index = {}}
end

local function proxy(class, positional, n, keywords)
  local declaration = declaration_for(class, positional)
  for name, position in pairs(declaration.index) do
    if keywords[name] ~= nil and positional[position] ~= nil then
      errors.raise("%s: argument '%s' is given twice, by position and by name", class.__name, name)
    end
  end
  local state = {owner = class.__name, positional = positional, n = n, keywords = keywords,
    declaration = declaration, read = {}}
  return setmetatable({[STATE] = state}, Arguments)
end

--- The arguments of a constructor call as a tracking proxy.
-- @tparam table class
-- @param ... the arguments of the call
-- @treturn table
function arguments.of_call(class, ...)
  return proxy(class, arguments.split(list_at_of_class(class, arguments.declaration(class)), ...))
end

--- Keyword arguments from a configuration as a tracking proxy.
function arguments.of_keywords(class, keywords)
  return proxy(class, {}, 0, keywords)
end

--- Whether a value is such a proxy.
function arguments.is_proxy(value)
  return getmetatable(value) == Arguments
end

--- Returns proxies unchanged. Wraps a plain table, which an `init` passed to its base, so that
-- declared names and positions agree.
function arguments.wrap(class, args)
  if arguments.is_proxy(args) then return args end
  if args == nil then return arguments.of_call(class) end
  return arguments.of_call(class, args)
end

--- Marks an argument as read.
function arguments.touch(args, name)
  state_of(args).read[name] = true
end

--- Whether an argument was given (null counts).
function arguments.given(args, name)
  local state = state_of(args)
  if not state then return args[name] ~= nil end
  local position = state.declaration.index[name]
  return state.keywords[name] ~= nil or position ~= nil and state.positional[position] ~= nil
end

--- Copies of all given arguments, without marking them as read: positional (with `n`) and keyword.
function arguments.raw(args)
  local state = state_of(args)
  if not state then return {n = 0}, args end
  local positional, keywords = {n = state.n}, {}
  for i = 1, state.n do positional[i] = state.positional[i] end
  for key, value in next, state.keywords do keywords[key] = value end
  return positional, keywords
end

--- Reads and checks one declared parameter.
-- @tparam table args proxy or plain table
-- @tparam table parameter
-- @tparam string owner name for the message
-- @return the value, its default, or nil
function arguments.read(args, parameter, owner)
  local value = args[parameter[1]]
  if value == nil and arguments.is_proxy(args) and arguments.given(args, parameter[1]) then
    value = null
  end
  return kinds.check(owner, parameter, value)
end

local function known_names(state)
  local names = {}
  for name in pairs(state.declaration.named) do names[name] = true end
  for key in pairs(state.read) do
    if type(key) == "string" and key:sub(1, 1) ~= "_" then names[key] = true end
  end
  return names
end

local function refuse_unread(state, key)
  errors.raise("%s: argument '%s' is declared, but `init` does not read it; pass `args` on to the"
    .. " base's: Base.init(self, args)", state.owner, key)
end

local function refuse_positional(state, position)
  local parameter = state.declaration.positional[position]
  if parameter then refuse_unread(state, parameter[1]) end
  local most = #state.declaration.positional
  for key in pairs(state.read) do
    if math.type(key) == "integer" and key > most then most = key end
  end
  local allowed = most == 0 and "no" or "at most " .. most
  errors.raise("%s: takes %s positional argument%s, got %d", state.owner, allowed,
    most == 1 and "" or "s", state.n)
end

--- Raises for arguments that no `init` has read: an unknown keyword, or too many positional
-- arguments.
-- @tparam table args the proxy
-- @tparam boolean lenient for a configuration from a file: ignores unknown keys whose value is
-- null, false or empty
function arguments.check_read(args, lenient)
  local state = state_of(args)
  for key, value in next, state.keywords do
    local says_nothing = lenient
      and (value == null or value == false or type(value) == "table" and next(value) == nil)
    if not state.read[key] and not says_nothing then
      if state.declaration.named[key] then refuse_unread(state, key) end
      errors.raise("%s: unknown argument '%s'%s", state.owner, key,
        errors.suggestion(key, known_names(state)))
    end
  end
  for i = 1, state.n do
    if state.positional[i] ~= nil and not state.read[i] then refuse_positional(state, i) end
  end
end

---------------------------------------------------------------- functions

local literals = {["nil"] = null, ["true"] = true, ["false"] = false}

local function parse_default(text)
  if text == nil then return nil end
  if literals[text] ~= nil then return literals[text] end
  if plain.tonumber(text) then return plain.tonumber(text) end
  local list = text:match "^[%[{(](.*)[%]})]$"
  if list then
    local items = {}
    for item in list:gmatch "[^,%s]+" do items[#items + 1] = parse_default(item) end
    return items
  end
  return text:match '^"(.*)"$' or text:match "^'(.*)'$" or text
end

-- Maps the kinds in the operation table's signatures to the kinds above.
local signature_kinds = {
  int = "integer", float = "number", bool = "boolean", ints = "integers", dtype = "dtype",
  string = "string",
  shape = "shape", axis = "axis", axes = "axes", any = "any", tensor = "tensor", list = "list",
}

local function parse_parameter(text)
  local name, kind, default = text:match "^%s*([%w_]+)%s*:%s*([%w_]+)%s*=%s*(.-)%s*$"
  if not name then name, kind = text:match "^%s*([%w_]+)%s*:%s*([%w_]+)%s*$" end
  if name then
    local parameter = {name, signature_kinds[kind] or kind, default = parse_default(default),
      allow_integer = true, any = kind == "any"}
    if parameter.default == null then parameter.default, parameter.optional = nil, true end
    return parameter
  end
  local mark
  name, mark = text:match "^%s*([%w_]+)(%.*%??)%s*$"
  assert(name, "malformed parameter: " .. text)
  if mark == "..." then return {name, "any", tensors = true} end
  return {name, "any", optional = mark == "?"}
end

local function split_text(text)
  local parts, depth, start = {}, 0, 1
  for at, character in text:gmatch "()(.)" do
    if character:find "[%[{(]" then depth = depth + 1
    elseif character:find "[%]})]" then depth = depth - 1
    elseif character == "," and depth == 0 then
      parts[#parts + 1] = text:sub(start, at - 1)
      start = at + 1
    end
  end
  if text:sub(start):find "%S" then parts[#parts + 1] = text:sub(start) end
  return parts
end

local function normalise(entry)
  if type(entry) ~= "string" then return entry end
  if entry:find "^[%w_]+$" then return {entry, "any", optional = true} end
  return parse_parameter(entry)
end

--- A signature: the parameters of a function.
-- @tparam string|table signature a text as in the operation table ("x, axis: axes = nil, keepdims:
-- bool = false"), or a list of names (each optional and unchecked) and declared parameters
-- @treturn table `{{name, kind, ...}, ..., index = {name = position}}`
function arguments.signature(signature)
  local parsed = {index = {}}
  local entries = type(signature) == "string" and split_text(signature) or signature
  for i, entry in ipairs(entries) do
    local parameter = type(signature) == "string" and parse_parameter(entry) or normalise(entry)
    parsed[i], parsed.index[parameter[1]] = parameter, i
  end
  return parsed
end

local parsed_signatures = setmetatable({}, {__mode = "k"})

local function cached_signature(signature)
  local parsed = parsed_signatures[signature]
  if not parsed then
    parsed = arguments.signature(signature)
    parsed_signatures[signature] = parsed
  end
  return parsed
end

local function list_at_of(parsed, first_list)
  if parsed.list_at == nil or parsed.first_list ~= first_list then
    parsed.first_list = first_list
    parsed.list_at = function(position)
      local parameter = parsed[position]
      if position == 1 and first_list ~= nil then return first_list, is_needed(parameter) end
      if not parameter then return false, false end
      return parameter.tensors and "nested" or kinds.of(parameter).is_list or false,
        is_needed(parameter)
    end
  end
  return parsed.list_at
end

-- Whether the next argument may be a table: what the function among the values runs over.
local function wants_data(parameter, values, n)
  return parameter and parameter[2] == "any"
    and (type(values[1]) == "function" or type(values[n]) == "function")
end

-- What helps with an unknown keyword: a table of data at the end was taken for arguments by name.
local function advice_on(key, parsed, values, n, keywords)
  local near = errors.suggestion(key, parsed.index)
  if near ~= "" or not wants_data(parsed[n + 1], values, n) then return near end
  for name in next, keywords do
    if parsed.index[name] then return near end
  end
  local name = parsed[n + 1][1]
  return ("; a table that is the argument '%s' has {} behind it, or its name: {%s = {...}}"):format(
    name, name)
end

local function place_keywords(name, parsed, values, n, keywords)
  for key, value in next, keywords do
    local position = parsed.index[key]
    if not position then
      errors.raise("%s: unknown argument '%s'%s", name, key, advice_on(key, parsed, values, n,
        keywords))
    end
    if position <= n and values[position] ~= nil then
      errors.raise("%s: argument '%s' is given twice, by position and by name", name, key)
    end
    values[position] = value
  end
end

-- The values of all parameters in one list.
local function take(name, parsed, first_list, ...)
  local values, n, keywords = arguments.split(list_at_of(parsed, first_list), ...)
  if n > #parsed then
    errors.raise("%s: takes at most %d argument%s, got %d", name, #parsed,
      #parsed == 1 and "" or "s", n)
  end
  if next(keywords) ~= nil then place_keywords(name, parsed, values, n, keywords) end
  for i = 1, #parsed do
    local parameter, value = parsed[i], values[i]
    if value ~= nil or parameter.default ~= nil or not parameter.optional then
      values[i] = kinds.check(name, parameter, value)
    end
  end
  return values
end

local function bind(name, parsed, first_list, ...)
  return table.unpack(take(name, parsed, first_list, ...), 1, #parsed)
end

local function bind_named(name, parsed, first_list, ...)
  local values, named = take(name, parsed, first_list, ...), {}
  for i = 1, #parsed do named[parsed[i][1]] = values[i] end
  return named
end

local most_positional = 6 -- results that a reader can still tell apart by their order

local function check_count(name, parsed)
  if #parsed > most_positional then
    error(("%s: %d results by position; a named binder gives them by name"):format(name, #parsed),
      3)
  end
  return parsed
end

--- A function that takes the arguments of a Lua function's call and returns them by position, at
-- most six.
-- @tparam string name of the function, for messages
-- @tparam string|table signature see `arguments.signature`
-- @tparam ?boolean|string first_list whether the first parameter is a list, so that one table alone
-- is that list; nil: as its kind says; "nested": its items may be plain tables
-- @treturn function raises for an unknown, missing or wrong argument, at the user's line
-- @usage
-- local bind_mse = arguments.binder("mse", "y_true, y_pred")
-- local function mse(...)
--   local y_true, y_pred = bind_mse(...)
-- end
function arguments.binder(name, signature, first_list)
  return arguments.binder_of(name, check_count(name, arguments.signature(signature)), first_list)
end

local signatures = setmetatable({}, {__mode = "k"}) -- of binders

local function noted(binder, parsed)
  signatures[binder] = parsed
  return binder
end

--- The same for a signature that has been parsed (`arguments.signature`), of any length: for what
-- hands the results on to a function of just these parameters.
function arguments.binder_of(name, parsed, first_list)
  return noted(function(...) return bind(name, parsed, first_list, ...) end, parsed)
end

--- The same, but the arguments are returned in one table by name.
function arguments.named_binder(name, signature, first_list)
  local parsed = arguments.signature(signature)
  return noted(function(...) return bind_named(name, parsed, first_list, ...) end, parsed)
end

--- The arguments of a call at once, as `arguments.binder` gives them: for functions whose name in
-- messages is known at the call alone.
-- @param ... the arguments of the call
function arguments.bind(name, signature, first_list, ...)
  return bind(name, check_count(name, cached_signature(signature)), first_list, ...)
end

--- The same, returned in one table by name.
function arguments.bind_named(name, signature, first_list, ...)
  return bind_named(name, cached_signature(signature), first_list, ...)
end

--- The signature of a function that calls a binder of its own; nil for others.
-- @tparam function f
-- @treturn ?table as returned by `arguments.signature`
function arguments.of_function(f)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(f, i)
    if name == nil then return nil end
    if type(value) == "function" and signatures[value] then return signatures[value] end
  end
end

return arguments
