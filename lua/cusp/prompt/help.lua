--- Help at the prompt: `help()`, `help "softmax"`, `help(layers.Dense)`.
-- Operations are described by their rows, classes and functions by the comments above them in their
-- files.
-- @module cusp.prompt.help
local arguments = require "cusp.base.arguments"
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local plain = require "cusp.base.plain"

local help = {}

---------------------------------------------------------------- arguments

local function default_text(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = plain.tostring(item) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return plain.tostring(value)
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

local function listed(parameters)
  local list = {}
  for i, parameter in ipairs(parameters) do
    list[i] = {name = parameter[1], kind = parameter[2], default = parameter.default,
      optional = parameter.optional}
  end
  return list
end

local function is_class(value)
  return type(value) == "table" and rawget(value, "__super") ~= nil
    and rawget(value, "__name") ~= nil
end

--- The parameters of a class, an operation or a function that takes keyword arguments: a list of
-- `{name =, kind =, default =, optional =}`; nil for other values.
-- @treturn ?table
function help.parameters(value)
  if is_class(value) then return listed(arguments.declaration(value).positional) end
  if type(value) ~= "function" then return nil end
  local row = operation(value)
  if row then return row.arguments end
  local signature = arguments.of_function(value)
  return signature and listed(signature)
end

-- Prints text in lines that fit the terminal, the later ones indented.
local function print_wrapped(text, indent)
  local width = math.max(engine.terminal_width() - 1, 40)
  while utf8.len(text) and utf8.len(text) > width do
    local limit = utf8.offset(text, width + 1)
    local cut = text:sub(1, limit):match "^.*()%s"
    if not cut or cut <= indent + 1 then break end
    print((text:sub(1, cut - 1)))
    text = (" "):rep(indent) .. text:sub(cut + 1)
  end
  print(text)
end

local function kind_text(parameter)
  local text = parameter.kind or "any"
  if parameter.default ~= nil then
    return text .. ", default " .. default_text(parameter.default)
  end
  return parameter.optional and text .. ", optional" or text
end

-- The parameters that are declared, with what a comment says of them; where none are declared,
-- those of the comment.
local function print_parameters(list, comment)
  local texts, said = {}, comment and comment.parameters or {}
  for _, parameter in ipairs(said) do texts[parameter.name] = parameter.text end
  if not list or #list == 0 then list = said end
  if #list == 0 then return end
  print "Arguments, in order:"
  local width = 0
  for _, parameter in ipairs(list) do width = math.max(width, #parameter.name) end
  for _, parameter in ipairs(list) do
    local text = texts[parameter.name] or ""
    local line = ("  %-" .. width .. "s  %s"):format(parameter.name, kind_text(parameter))
    print_wrapped(text == "" and line or line .. ": " .. text, width + 4)
  end
end

---------------------------------------------------------------- the kinds of help

-- Lines that follow one another are one paragraph; indented ones, which are code, stay as they are.
local function print_text(lines)
  local paragraph = {}
  local function finish()
    if #paragraph > 0 then print_wrapped(table.concat(paragraph, " "), 0) end
    paragraph = {}
  end
  for _, line in ipairs(lines) do
    if line == "" or line:find "^%s" then
      finish()
      print(line)
    else
      paragraph[#paragraph + 1] = line
    end
  end
  finish()
end

local function print_described(comment, list)
  if comment then print_text(comment.text) end
  print_parameters(list, comment)
  if not comment then return end
  if #comment.returns > 0 then
    print_wrapped("Returns " .. table.concat(comment.returns, ", "), 2)
  end
  for _, text in ipairs(comment.raises) do print_wrapped("Raises an error " .. text, 2) end
  for _, text in ipairs(comment.usage) do
    print("Example:\n  " .. text:gsub("^\n", ""):gsub("\n", "\n  "))
  end
end

local function print_operation(row)
  local names = {}
  for i, argument in ipairs(row.arguments) do
    names[i] = argument.name
    if argument.default ~= nil then
      names[i] = names[i] .. " = " .. default_text(argument.default)
    end
  end
  print(("ops.%s(%s)"):format(row.name, table.concat(names, ", ")))
  print_wrapped(row.help, 0)
  print_parameters(row.arguments)
end

local function print_class(class)
  print("class " .. class.__name)
  print_described(doc_comments.of_class(class), help.parameters(class))
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
  for _, t in ipairs{members, space, further and further.__index or {}} do
    for name in next, t do
      if type(name) == "string" and not seen[name] and name:sub(1, 1) ~= "_" then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  plain.sort(names)
  print_columns(names)
end

local function print_function(f, name)
  local row = operation(f)
  if row then return print_operation(row) end
  local info = debug.getinfo(f, "S")
  print(info.what == "C" and "a function of C"
    or ("function, %s:%d"):format(info.short_src, info.linedefined))
  print_described(doc_comments.of_function(f, name), help.parameters(f))
end

-- A table of functions: what its file says, and their names.
local function print_module(module)
  local names, path = {}, nil
  for name, value in next, module do
    if type(name) == "string" and name:sub(1, 1) ~= "_" then
      names[#names + 1] = name
      if type(value) == "function" then
        path = path or debug.getinfo(value, "S").source:match "^@(.*)$"
      end
    end
  end
  local comment = path and doc_comments.of_file(path)
  if not comment then return print(tostring(module)) end
  print_text(comment.text)
  plain.sort(names)
  print_columns(names)
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
local places = {"layers", "losses", "metrics", "optimizers", "callbacks", "initializers",
  "regularizers", "constraints", "activations",
  "random", "utils", "models", "data", "saving", "datasets", "config", "Model", "data.Dataset",
  "summary"}

-- The value of a path such as "data.Dataset"; nil where it leads nowhere.
local function follow(path)
  local value = require "cusp"
  for part in path:gmatch "[^.:]+" do
    value = type(value) == "table" and value[part] or nil
  end
  return value
end

local function find(name)
  local value = follow((name:gsub("^cusp%.", "")))
  if value ~= nil then return value end
  for _, place in ipairs(places) do
    local ok, space = engine.attempt(follow, place)
    if ok and type(space) == "table" and space[name] ~= nil then return space[name] end
  end
end

-- Names that help can be asked for.
local function known_names()
  local names = {}
  for key in pairs(rows) do names[key] = true end
  for _, place in ipairs(places) do
    local space = follow(place)
    local meta = getmetatable(space)
    for _, t in ipairs{meta and meta.__members or {}, type(space) == "table" and space or {}} do
      for key in next, t do names[key] = true end
    end
  end
  return names
end

local function print_name(name)
  local row = operation((name:gsub("^ops%.", "")))
  if row then return print_operation(row) end
  local value = find(name)
  if type(value) == "function" then return print_function(value, name:match "[%w_]+$") end
  if value ~= nil then return help.print(value) end
  print(("nothing is known of '%s'%s"):format(name,
    require("cusp.base.errors").suggestion(name:match "[%w_]*$", known_names())))
end

--- Prints help on a value, or on what a string names; without arguments, how to begin.
-- @param value
function help.print(value)
  if value == nil then return print(overview) end
  if type(value) == "string" then return print_name(value) end
  if is_class(value) then return print_class(value) end
  if type(value) == "function" then return print_function(value) end
  local meta = debug.getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__members") then
    return print_namespace(value, meta)
  end
  if type(value) == "table" and is_class(getmetatable(value)) then
    return print_class(getmetatable(value))
  end
  if engine.is_tensor(value) or engine.is_variable(value) then
    local what = engine.is_tensor(value) and "tensor" or "variable"
    print(("a %s of shape {%s}, %s"):format(what, table.concat(value.shape, ", "), value.dtype))
    print("Every operation is a method: x:sum{axis = 1}. Also x:item(i, j), x:tolist(), "
      .. "x:flat(), x:slice{{1, 2}, {}}, x[i], #x.")
    return
  end
  if type(value) == "table" and (type(meta) ~= "table" or rawget(value, "__index")) then
    return print_module(value)
  end
  if type(value) == "table" and type(rawget(meta, "__index")) == "function" then
    return print_module(meta)
  end
  print(tostring(value))
end

return setmetatable(help, {
  __call = function(_, value) return help.print(value) end,
  __tostring = function()
    return 'help(): how to begin; help "softmax", help(layers.Dense): what a thing is'
  end,
})
