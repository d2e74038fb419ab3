--- The parameters of what can be called: their names, kinds and defaults.
-- @module cusp.prompt.parameters
local arguments = require "cusp.base.arguments"
local layout = require "cusp.prompt.layout"
local plain = require "cusp.base.plain"

local parameters = {}

local rows -- name → description of an operation, and function → description

--- The row of an operation, by its name or its function; nil where there is none.
function parameters.operation(key)
  if not rows then
    local ops = require "cusp.ops"
    rows = ops.describe()
    for name, row in pairs(ops.describe()) do
      local f = ops[name]
      if f then rows[f] = row end
    end
  end
  return rows[key]
end

local function listed(declared)
  local list = {}
  for i, parameter in ipairs(declared) do
    list[i] = {name = parameter[1], kind = parameter[2], default = parameter.default,
      optional = parameter.optional, choices = parameter.choices, list_of = parameter.list_of}
  end
  return list
end

--- Whether a value is a class.
function parameters.is_class(value)
  return type(value) == "table" and rawget(value, "__super") ~= nil
    and rawget(value, "__name") ~= nil
end

--- The parameters of a class, an operation or a function that takes keyword arguments: a list of
-- `{name =, kind =, default =, optional =}`; nil for other values.
-- @treturn ?table
function parameters.of(value)
  if parameters.is_class(value) then return listed(arguments.declaration(value).positional) end
  if type(value) ~= "function" then return nil end
  local row = parameters.operation(value)
  if row then return row.arguments end
  local signature = arguments.of_function(value)
  return signature and listed(signature)
end

-- What a function's code says of its parameters.
local function from_code(f)
  local list, info = {}, debug.getinfo(f, "u")
  for i = 1, info.nparams do
    local name = debug.getlocal(f, i)
    if name ~= "self" then list[#list + 1] = {name = name} end
  end
  if info.isvararg then list[#list + 1] = {name = "..."} end
  return list
end

local literals = {["true"] = true, ["false"] = false}

-- A default as a comment writes it.
local function read_default(text)
  if text == nil then return nil end
  if literals[text] ~= nil then return literals[text] end
  return text:match '^"(.*)"$' or plain.tonumber(text) or text
end

--- The parameters as far as they are declared, described in a comment, or seen in the code.
-- @param value
-- @tparam ?table comment
-- @treturn {table,...}
function parameters.known(value, comment)
  local declared = parameters.of(value)
  if declared and #declared > 0 then return declared end
  local said = comment and comment.parameters or {}
  if #said == 0 and type(value) == "function" then return declared or from_code(value) end
  local list = {}
  for i, parameter in ipairs(said) do
    list[i] = {name = parameter.name, kind = parameter.kind, optional = parameter.optional,
      default = read_default(parameter.default)}
  end
  return list
end

---------------------------------------------------------------- as text

local function default_text(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = plain.tostring(item) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return plain.tostring(value)
end

--- A call with its parameters: "layers.Dropout{rate, noise_shape = nil, seed = nil}".
-- @tparam string path
-- @tparam {table,...} list of parameters
-- @tparam string brackets
-- @treturn string
function parameters.signature(path, list, brackets)
  local parts = {}
  for i, parameter in ipairs(list) do
    parts[i] = parameter.name
    if parameter.default ~= nil then
      parts[i] = parts[i] .. " = " .. default_text(parameter.default)
    elseif parameter.optional then
      parts[i] = parts[i] .. " = nil"
    end
  end
  return path .. brackets:sub(1, 1) .. table.concat(parts, ", ") .. brackets:sub(2)
end

local function kind_text(parameter)
  local text = parameter.kind or "any"
  if parameter.choices then
    local names = {}
    for i, choice in ipairs(parameter.choices) do names[i] = default_text(choice) end
    text = table.concat(names, "|")
  elseif parameter.list_of then
    text = "list of " .. tostring(parameter.list_of)
  end
  if parameter.default ~= nil then
    return text .. ", default " .. default_text(parameter.default)
  end
  return parameter.optional and text .. ", optional" or text
end

--- Prints parameters with what a comment says of them.
function parameters.print(list, comment)
  local said = {}
  for _, parameter in ipairs(comment and comment.parameters or {}) do
    said[parameter.name] = parameter
  end
  if #list == 0 then return end
  print "Arguments, in order:"
  local width = 0
  for _, parameter in ipairs(list) do width = math.max(width, #parameter.name) end
  for _, parameter in ipairs(list) do
    local note = said[parameter.name] or {text = ""}
    if (parameter.kind or "any") == "any" then parameter.kind = note.kind end
    local line = ("  %-" .. width .. "s  %s"):format(parameter.name, kind_text(parameter))
    layout.print_wrapped(note.text == "" and line or line .. ": " .. note.text, width + 4)
  end
end

return parameters
