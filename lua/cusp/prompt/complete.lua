--- What may stand where the cursor is: fields and methods, names of arguments within a call and
-- their values, names for `help`, files.
-- @module cusp.prompt.complete
local choices = require "cusp.prompt.choices"
local engine = require "cusp.engine"
local expressions = require "cusp.prompt.expressions"
local globals = require "cusp.prompt.globals"
local lexer = require "cusp.prompt.lexer"
local methods = require "cusp.prompt.methods"
local parameters = require "cusp.prompt.parameters"
local plain = require "cusp.base.plain"

-- Looks without running the user's metamethods where it can, and never raises.
local function index(value, key)
  local ok, result = engine.attempt(function() return value[key] end)
  if ok then return result end
  return nil
end

---------------------------------------------------------------- names in a value

local function add_keys(names, t)
  if type(t) ~= "table" then return end
  for key in next, t do
    if type(key) == "string" and key:match "^[%a_][%w_]*$" then names[key] = true end
  end
end

local function add_list(names, list)
  for _, name in ipairs(list) do names[name] = true end
end

-- Public methods and computed fields; the private ones of an instance begin with "_".
local function add_class(names, class)
  add_list(names, methods.of_class(class))
  add_list(names, methods.getters(class))
end

local function add_meta(names, meta)
  if type(meta) ~= "table" then return end
  local members = rawget(meta, "__members")
  add_keys(names, members)
  local further = type(members) == "table" and getmetatable(members)
  if further then add_keys(names, further.__index) end
  if rawget(meta, "__super") then return add_class(names, meta) end
  local inner = rawget(meta, "__index")
  add_keys(names, type(inner) == "function" and meta or inner)
end

local function add_engine_value(names, value)
  add_keys(names, methods.of_engine(value))
  add_list(names, {"shape", "dtype", "ndim"})
  if engine.is_variable(value) then
    add_list(names, {"value", "trainable", "name", "path"})
  end
end

local function names_in_value(value)
  local names = {}
  if type(value) == "string" then
    add_keys(names, string)
  elseif parameters.is_class(value) then
    add_class(names, value)
  elseif type(value) == "table" then
    add_keys(names, value)
    add_meta(names, getmetatable(value))
  elseif type(value) == "userdata" then
    if engine.is_tensor(value) or engine.is_variable(value) then add_engine_value(names, value) end
    add_meta(names, debug.getmetatable(value))
  end
  return names
end

-- What may follow something found; also which names are methods.
local function names_after(found)
  if found.value ~= nil then
    local value = found.value
    return names_in_value(value), function(name) return type(index(value, name)) == "function" end
  end
  local names = {}
  if found.class then
    add_class(names, found.class)
    return names, function(name) return type(index(found.class, name)) == "function" end
  end
  add_keys(names, engine.tensor_methods)
  add_list(names, {"shape", "dtype", "ndim"})
  return names, function(name) return engine.tensor_methods[name] ~= nil end
end

---------------------------------------------------------------- lists of matches

local function starting(names, prefix, head, test)
  local list = {}
  for name in pairs(names) do
    local hidden = name:sub(1, 1) == "_" and prefix:sub(1, 1) ~= "_"
    if not hidden and name:sub(1, #prefix) == prefix and (test == nil or test(name)) then
      list[#list + 1] = head .. name
    end
  end
  plain.sort(list)
  return list
end

local function starting_in(list, prefix)
  local names = {}
  add_list(names, list)
  return starting(names, prefix, "")
end

---------------------------------------------------------------- calls

local closing = {[")"] = true, ["]"] = true, ["}"] = true}
local opening = {["("] = true, ["["] = true, ["{"] = true}

-- The text before the innermost bracket that is open at the end of a text.
local function before_open_bracket(text)
  local tokens, depth = lexer.code(text), 0
  for i = #tokens, 1, -1 do
    local token = tokens[i]
    if token.kind == "symbol" and closing[token.text] then depth = depth + 1 end
    if token.kind == "symbol" and opening[token.text] then
      if depth == 0 then return text:sub(1, token.first - 1), token.text end
      depth = depth - 1
    end
  end
end

-- The parameters of what is called at the end of a text. A table of keyword arguments may stand in
-- the call's brackets.
local function called_parameters(text)
  local outside, bracket = before_open_bracket(text)
  if not outside then return {} end
  if bracket == "{" and outside:find "[(,]%s*$" then return called_parameters(outside) end
  local found = expressions.last(outside)
  return found and found.value ~= nil and parameters.of(found.value) or {}
end

local function argument_names(text, prefix)
  local list = {}
  for _, parameter in ipairs(called_parameters(text)) do
    if parameter.name:sub(1, #prefix) == prefix then list[#list + 1] = parameter.name .. " = " end
  end
  return list
end

---------------------------------------------------------------- within strings

-- The strings that may stand after `name = "`, also within a list of them.
local function argument_values(before)
  local name = before:match "([%a_][%w_]*)%s*=%s*$" or before:match "([%a_][%w_]*)%s*=%s*{[^{}]*$"
  if not name then return nil end
  local inside = before:match "^(.*[%a_][%w_]*%s*=%s*){[^{}]*$" or before
  local declared
  for _, parameter in ipairs(called_parameters(inside)) do
    if parameter.name == name then declared = parameter end
  end
  return choices.of(name, declared)
end

-- The first argument of activations.get "re" and the like.
local function first_argument(before)
  local name = before:match "[%w_.]*Activation%s*[({]?%s*$" and "activation"
    or before:match "[%w_]*:cast%s*[({]?%s*$" and "dtype"
  return name and choices.of(name)
end

local function is_help(before)
  return before:find "%f[%w_]help%s*%(?%s*$" or before:find "%f[%w_]apropos%s*%(?%s*$"
end

local function files_starting(prefix)
  local folder, name = prefix:match "^(.*/)([^/]*)$"
  folder, name = folder or "", name or prefix
  local place = require("cusp.prompt.scripts").expand(folder)
  local ok, found = engine.attempt(engine.files.list, place == "" and "." or place)
  local list = {}
  for _, entry in ipairs(ok and found or {}) do
    if entry:sub(1, #name) == name and (entry:sub(1, 1) ~= "." or name:sub(1, 1) == ".") then
      local is_folder = engine.files.is_directory(place .. entry)
      list[#list + 1] = folder .. entry .. (is_folder and "/" or "")
    end
  end
  plain.sort(list)
  return list
end

-- A match that is alone closes the string.
local function closed(list, quote)
  if #list == 1 and list[1]:sub(-1) ~= "/" then list[1] = list[1] .. quote end
  return list
end

-- What help can be asked for.
local function named(prefix)
  return starting_in(require("cusp.prompt.lookup").names(prefix), prefix)
end

local function in_string(text, before, quote)
  if is_help(before) then return closed(named(text), quote) end
  local values = argument_values(before) or first_argument(before)
  if values then return closed(starting_in(values, text), quote) end
  return closed(files_starting(text), quote)
end

---------------------------------------------------------------- the prompt's own

local function special(line, text)
  local command = line:match "^%s*:([%w!]*)$"
  if command then
    local list = starting(require("cusp.prompt.commands").names(), command, "")
    -- the colon is part of the word for the editor
    for i, name in ipairs(list) do list[i] = (text:sub(1, 1) == ":" and ":" or "") .. name end
    return list
  end
  local name = line:match "^%s*%?%??%s*([%w_.:]*)$"
  if name then
    local head = text:sub(1, #text - #name)
    local list = named(name)
    for i, item in ipairs(list) do list[i] = head .. item end
    return list
  end
  if line:find "^%s*:load%s" or line:find "^%s*:save!?%s" or line:find "^%s*%$" then
    return files_starting(text)
  end
end

---------------------------------------------------------------- the function

local function of_names(text, before)
  local list = argument_names(before, text)
  if text == "" or #list > 0 then return list end
  local names = {}
  add_keys(names, globals.all())
  for word in pairs(lexer.keywords) do names[word] = true end
  return starting(names, text, "")
end

local function last_token(text)
  local tokens = lexer.tokens(text)
  return tokens[#tokens]
end

--- Lists what may stand for `text`.
-- @tparam string text the word before the cursor
-- @tparam string line
-- @tparam integer first where `text` starts in `line`
-- @treturn {string,...}
return function(text, line, first)
  local before = line:sub(1, first - 1)
  local found = special(before .. text, text)
  if found then return found end
  local token = last_token(before .. text)
  if token and token.kind == "string" and not token.whole and token.text:find "^[\"']" then
    return in_string(text, line:sub(1, token.first - 1), token.text:sub(1, 1))
  end
  local head, separator, prefix = text:match "^(.-)([.:])([%w_]*)$"
  if not head then return of_names(text, before) end
  local value = expressions.last(before .. head)
  if not value then return {} end
  local names, is_method = names_after(value)
  return starting(names, prefix, head .. separator, separator == ":" and is_method or nil)
end
