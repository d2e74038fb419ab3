--- Help at the prompt: `help()`, `help "softmax"`, `help(layers.Dense)`.
-- Operations are described by their rows, classes and functions by the comments above them in their files.
-- @module cusp.help
local engine = require "cusp.engine"

local help = {}

---------------------------------------------------------------- arguments

local function default_text(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = tostring(item) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return tostring(value)
end

local rows -- name → description of an operation, and function → description

local function operation(key)
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

-- The declared parameters of a class: its own first, then those of the classes it is derived from.
local function class_parameters(class)
  local list, seen = {}, {}
  local current = class
  while type(current) == "table" do
    for _, parameter in ipairs(rawget(current, "config") or {}) do
      if not seen[parameter[1]] then
        seen[parameter[1]] = true
        list[#list + 1] = { name = parameter[1], kind = parameter[2], default = parameter.default, optional = parameter.optional }
      end
    end
    current = rawget(current, "__super")
  end
  return list
end

local function is_class(value) return type(value) == "table" and rawget(value, "__super") ~= nil and rawget(value, "__name") ~= nil end

--- The parameters of a class or an operation: a list of `{name =, kind =, default =, optional =}`; nil for other values.
-- @treturn ?table
function help.parameters(value)
  if is_class(value) then return class_parameters(value) end
  local row = type(value) == "function" and operation(value)
  return row and row.arguments
end

local function print_parameters(list)
  local width = 0
  for _, parameter in ipairs(list) do width = math.max(width, #parameter.name) end
  for _, parameter in ipairs(list) do
    local text = ("  %-" .. width .. "s  %s"):format(parameter.name, parameter.kind or "any")
    if parameter.default ~= nil then
      text = text .. ", default " .. default_text(parameter.default)
    elseif parameter.optional then
      text = text .. ", optional"
    end
    print(text)
  end
end

---------------------------------------------------------------- comments in the sources

-- LDoc's marks as plain text.
local function plain(line)
  line = line:gsub("^%-%-%-? ?", "")
  local tag, rest = line:match "^@(%w+)%b[]%s*(.*)$"
  if not tag then tag, rest = line:match "^@(%w+)%s*(.*)$" end
  if not tag then return line end
  if tag == "tparam" then
    local kind, name, text = rest:match "^(%S+)%s+(%S+)%s*(.*)$"
    return kind and ("  %s (%s) %s"):format(name, kind, text) or rest
  end
  if tag == "param" then return "  " .. rest end
  if tag == "treturn" or tag == "return" then return "Returns " .. rest end
  if tag == "usage" then return "Example: " .. rest end
  if tag == "raise" then return "Raises " .. rest end
  if tag == "see" then return "See " .. rest end
end

local function lines_of(source)
  local file = source:sub(1, 1) == "@" and io.open(source:sub(2))
  if not file then return nil end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

-- The comment that ends just above line `last`.
local function comment_above(lines, last)
  local first = last
  while first > 1 and lines[first - 1]:match "^%-%-" do first = first - 1 end
  local text = {}
  for i = first, last - 1 do text[#text + 1] = plain(lines[i]) end
  return #text > 0 and text or nil
end

local function class_comment(lines, name)
  for i, line in ipairs(lines) do
    if line:find('extend("' .. name .. '"', 1, true) or line:find('extend "' .. name .. '"', 1, true) then
      local found = comment_above(lines, i)
      if found then return found end
    end
  end
  for i, line in ipairs(lines) do
    if not line:match "^%-%-" then return comment_above(lines, i) end
  end
end

-- A method tells the file that a class is written in.
local function class_source(class)
  for _, value in pairs(class) do
    if type(value) == "function" then
      local source = debug.getinfo(value, "S").source
      if source:find("/" .. require("cusp.namespace").snake_case(class.__name), 1, true) then return source end
    end
  end
  for _, name in ipairs { "call", "build", "init", "update", "compute_output_shape" } do
    local f = rawget(class, name)
    if type(f) == "function" then return debug.getinfo(f, "S").source end
  end
end

local function print_comment(text)
  for _, line in ipairs(text or {}) do print(line) end
end

---------------------------------------------------------------- the kinds of help

local function print_operation(row)
  local names = {}
  for i, argument in ipairs(row.arguments) do
    names[i] = argument.name
    if argument.default ~= nil then names[i] = names[i] .. " = " .. default_text(argument.default) end
  end
  print(("ops.%s(%s)"):format(row.name, table.concat(names, ", ")))
  print(row.help)
  print_parameters(row.arguments)
end

local function print_class(class)
  print("class " .. class.__name)
  local source = class_source(class)
  local lines = source and lines_of(source)
  print_comment(lines and class_comment(lines, class.__name))
  local list = class_parameters(class)
  if #list > 0 then
    print "Arguments, in order:"
    print_parameters(list)
  end
end

local function print_columns(names)
  local width, line = engine.terminal_width() - 2, " "
  for _, name in ipairs(names) do
    if #line + 1 + #name > width then
      print(line)
      line = " "
    end
    line = line .. " " .. name
  end
  if #line > 1 then print(line) end
end

local function print_namespace(space, meta)
  print(tostring(meta.__name))
  local names, seen = {}, {}
  local members = rawget(meta, "__members") or {}
  local further = getmetatable(members)
  for _, t in ipairs { members, space, further and further.__index or {} } do
    for name in next, t do
      if type(name) == "string" and not seen[name] and name:sub(1, 1) ~= "_" then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  print_columns(names)
end

local function print_function(f)
  local row = operation(f)
  if row then return print_operation(row) end
  local info = debug.getinfo(f, "S")
  local lines = lines_of(info.source)
  print(info.what == "C" and "a function of C" or ("function, %s:%d"):format(info.short_src, info.linedefined))
  print_comment(lines and comment_above(lines, info.linedefined))
end

local overview = [[
Cusp: deep learning for Lua. What is loaded here: cusp, layers, ops.

  x = cusp.tensor{{1, 2}, {3, 4}}            tensors; x:sum{axis = 1}, x + 1, x[1], x.shape
  model = cusp.Sequential{layers.Dense{32, activation = "relu"}, layers.Dense(10)}
  model:compile{optimizer = "adam", loss = "mse"}
  model:fit{x, y, epochs = 5}                Ctrl-C stops between steps

  help "softmax"         an operation        help(layers.Dense)     a class
  help(ops)              all operations      help(cusp.losses)      a namespace

Tab completes names, fields and arguments. `_` is the last value. Ctrl-D leaves.]]

-- Where a name is looked for when help gets a string.
local places = { "layers", "losses", "metrics", "optimizers", "callbacks", "initializers", "regularizers", "constraints", "activations",
  "random", "utils", "models", "datasets", "config" }

local function find(name)
  local cusp = require "cusp"
  local value = cusp
  for part in name:gsub("^cusp%.", ""):gmatch "[^.:]+" do
    value = type(value) == "table" and value[part] or nil
  end
  if value ~= nil then return value end
  for _, place in ipairs(places) do
    local ok, space = pcall(function() return cusp[place] end)
    if ok and type(space) == "table" and space[name] ~= nil then return space[name] end
  end
end

local function print_name(name)
  local row = operation((name:gsub("^ops%.", "")))
  if row then return print_operation(row) end
  local value = find(name)
  if value ~= nil then return help.print(value) end
  local errors = require "cusp.errors"
  local names = {}
  for key in pairs(rows) do
    if type(key) == "string" then names[#names + 1] = key end
  end
  print(("nothing is known of '%s'%s"):format(name, errors.suggestion(name, names)))
end

--- Prints help on a value, or on what a string names; without arguments, how to begin.
-- @param value
function help.print(value)
  if value == nil then return print(overview) end
  if type(value) == "string" then return print_name(value) end
  if is_class(value) then return print_class(value) end
  if type(value) == "function" then return print_function(value) end
  local meta = debug.getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__members") then return print_namespace(value, meta) end
  if type(value) == "table" and is_class(getmetatable(value)) then return print_class(getmetatable(value)) end
  if engine.is_tensor(value) or engine.is_variable(value) then
    local what = engine.is_tensor(value) and "tensor" or "variable"
    print(("a %s of shape {%s}, %s"):format(what, table.concat(value.shape, ", "), value.dtype))
    print "Every operation is a method: x:sum{axis = 1}. Also x:item(i, j), x:tolist(), x:flat(), x:slice{{1, 2}, {}}, x[i], #x."
    return
  end
  print(tostring(value))
end

return setmetatable(help, {
  __call = function(_, value) return help.print(value) end,
  __tostring = function() return 'help(): how to begin; help "softmax", help(layers.Dense): what a thing is' end,
})
