--- Help at the prompt: `help()`, `help "softmax"`, `help "model:fit"`, `help(layers.Dense)`.
-- Operations are described by their rows, classes and functions by the comments above them in their
-- files.
-- @module cusp.prompt.help
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local examples = require "cusp.prompt.examples"
local inspect = require "cusp.base.inspect"
local layout = require "cusp.prompt.layout"
local lookup = require "cusp.prompt.lookup"
local methods = require "cusp.prompt.methods"
local null = require "cusp.base.null"
local parameters = require "cusp.prompt.parameters"
local plain = require "cusp.base.plain"
local shape = require "cusp.base.shape"

local help = {parameters = parameters.of}

---------------------------------------------------------------- what a comment says

local function print_returns(comment)
  if #comment.returns > 0 then
    layout.print_wrapped("Returns " .. table.concat(comment.returns, ", "), 2)
  end
  for _, text in ipairs(comment.raises) do layout.print_wrapped("Raises an error " .. text, 2) end
end

local function print_described(comment, list)
  if comment then layout.print_text(comment.text) end
  parameters.print(list, comment)
  if comment then print_returns(comment) end
end

local function print_usage(comment, otherwise)
  local usage = comment and comment.usage or {}
  if #usage == 0 and otherwise then usage = {otherwise} end
  for _, text in ipairs(usage) do layout.print_code("Example:", text) end
end

---------------------------------------------------------------- the kinds of help

local function print_operation(row)
  local body = require("cusp.ops.define").bodies[row.name]
  local comment = body and doc_comments.of_function(body)
  local list = row.arguments
  if #list == 0 and comment then list = comment.parameters end
  layout.print_signature(parameters.signature("ops." .. row.name, list, "()"))
  layout.print_wrapped(row.help, 0)
  parameters.print(list, comment)
  if comment then print_returns(comment) end
  print_usage(comment, examples.of_operation(row))
end

-- How a class is reached: "layers.Dense"; its name alone where it is the program's.
local function class_path(class)
  for _, entry in ipairs(lookup.find(class.__name)) do
    if entry.value == class then return entry.path end
  end
  return class.__name
end

local function print_class(class, path)
  path = path or class_path(class)
  local comment = doc_comments.of_class(class)
  local list = parameters.known(class, comment)
  print("class " .. class.__name)
  layout.print_signature(parameters.signature(path, list, #list > 0 and "{}" or "()"))
  print_described(comment, list)
  local names = methods.of_class(class)
  if #names > 0 then
    print "Methods:"
    layout.print_columns(names)
  end
  print_usage(comment, class.__library and examples.of_class(path, list) or nil)
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
  layout.print_columns(names)
end

local function print_function(f, path)
  local row = parameters.operation(f)
  if row then return print_operation(row) end
  local info = debug.getinfo(f, "S")
  local comment = lookup.comment(f, path and path:match "[%w_]+$")
  if info.what == "C" then
    return print((path or "a function") .. "(...), a function in C, of Lua or a library")
  else
    layout.print_signature(parameters.signature(path or "function",
      parameters.known(f, comment), "()"))
    print(("in %s:%d"):format(info.short_src, info.linedefined))
  end
  print_described(comment, parameters.known(f, comment))
  print_usage(comment)
end

-- The file that most functions of a table are from.
local function main_file(module)
  local counts, best = {}, nil
  for _, value in next, module do
    local path = type(value) == "function" and debug.getinfo(value, "S").source:match "^@(.*)$"
    if path then counts[path] = (counts[path] or 0) + 1 end
  end
  for path, count in pairs(counts) do
    if not best or count > counts[best] or count == counts[best] and path < best then
      best = path
    end
  end
  return best
end

-- A table of functions: what its file says, and their names.
local function print_module(module)
  local names, path = {}, main_file(module)
  for name in next, module do
    if type(name) == "string" and name:sub(1, 1) ~= "_" then names[#names + 1] = name end
  end
  local comment = path and doc_comments.of_file(path)
  if not comment then return print(inspect(module)) end
  layout.print_text(comment.text)
  plain.sort(names)
  layout.print_columns(names)
end

local function print_tensor(value)
  local what = engine.is_tensor(value) and "tensor" or "variable"
  print(("a %s of shape {%s}, %s"):format(what, table.concat(value.shape, ", "), value.dtype))
  layout.print_wrapped("Every operation is a method: x:sum{axis = 1}. Also x:item(i, j), "
    .. "x:tolist(), x:flat(), x:slice{{1, 2}, {}}, x[i], #x; help \"tensor:slice\" says more.", 0)
  if what == "variable" then print "Set it by v:assign(value), v:assign_add(value)." end
end

local constants = {
  [null] = "cusp.null: Python's None, where nil would mean a default, and in files; under the name "
    .. "cusp.newaxis, a new axis of size 1 in x:slice{...}.",
  [shape.None] = "cusp.None: the size of an axis that is not known yet, as of a batch.",
}

local function print_value(value, path)
  if constants[value] then return layout.print_wrapped(constants[value], 0) end
  if parameters.is_class(value) then return print_class(value, path) end
  if type(value) == "function" then return print_function(value, path) end
  local meta = debug.getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__members") then
    return print_namespace(value, meta)
  end
  if type(value) == "table" and parameters.is_class(meta) then
    print(inspect(value))
    return print_class(meta)
  end
  if engine.is_tensor(value) or engine.is_variable(value) then return print_tensor(value) end
  if type(value) == "table" and (type(meta) ~= "table" or rawget(value, "__index")) then
    return print_module(value)
  end
  if type(value) == "table" and type(rawget(meta, "__index")) == "function" then
    return print_module(meta)
  end
  print(("a %s: %s"):format(type(value), inspect(value)))
end

local overview = [[
Cusp: deep learning for Lua. What is loaded here: cusp, layers, ops.

  x = cusp.tensor{{1, 2}, {3, 4}}            tensors; x:sum{axis = 1}, x + 1, x[1], x.shape
  model = cusp.Sequential{layers.Dense{32, activation = "relu"}, layers.Dense(10)}
  model:compile{optimizer = "adam", loss = "mse"}
  model:fit{x, y, epochs = 5}                Ctrl-C stops between steps

  ?softmax   help "softmax"    an operation       ?model:fit   help "model:fit"   a method
  ?layers.Dense                a class            ??name       its source
  help(ops)                    all operations     apropos "word"   what mentions a word

Tab completes names, fields, arguments and their values. `_` is the last value, `_7` that of
input 7; `;` at the end of an input keeps it quiet. `:help` lists the prompt's commands: `:time`,
`:who`, `:save` and others. Ctrl-D leaves.]]

---------------------------------------------------------------- by name

local function print_note(note)
  print(note.signature)
  layout.print_wrapped(note.text, 0)
  layout.print_code("Example:", note.example)
end

local function print_entry(entry)
  if entry.row then return print_operation(entry.row) end
  if entry.note then return print_note(entry.note) end
  print_value(entry.value, entry.path)
end

local function print_line(entry)
  layout.print_wrapped(("  %-32s %s"):format(entry.path, lookup.sentence(entry)), 35)
end

local function print_unknown(name)
  local near = lookup.near(name)
  for i, path in ipairs(near) do near[i] = ("'%s'"):format(path) end
  local also = #near > 0 and "; did you mean " .. table.concat(near, ", ") .. "?" or ""
  print(("nothing is known of '%s'%s"):format(name, also))
  print(('apropos "%s" looks for the word in all descriptions'):format(name:match "[%w_]*$"))
end

--- Prints help on what a name means; where it means several things, lists the others.
-- @tparam string name
function help.print_name(name)
  local own = lookup.program_value(name)
  if own ~= nil then return print_value(own, name) end
  local found = lookup.find(name)
  if #found == 0 then return print_unknown(name) end
  print_entry(found[1])
  if #found == 1 then return end
  print(("\n%s is also:"):format(name))
  for i = 2, #found do print_line(found[i]) end
end

--- Prints help on a value, or on what a string names; without arguments, how to begin.
-- @param ... the value
function help.print(...)
  if select("#", ...) == 0 then return print(overview) end
  local value = ...
  if value == nil then
    print "the value is nil: no variable or field has that name"
    print 'help "name" looks a name up in the library; help() says how to begin'
    return
  end
  if type(value) == "string" then return help.print_name(value) end
  print_value(value)
end

---------------------------------------------------------------- sources and search

local function print_source(value, path)
  local first, last, name = doc_comments.range(value)
  if not first then return print(("there is no source of '%s' in Lua"):format(path)) end
  print(("%s:%d"):format(name, first))
  print(doc_comments.text(name, first, last)
    or require("cusp.prompt.inputs").lines(name, first, last) or "the source is not there")
end

--- Prints the source of what a name means.
-- @tparam string name
function help.source(name)
  local value = lookup.program_value(name)
  if value ~= nil then return print_source(value, name) end
  local entry = lookup.find(name)[1]
  if not entry then return print_unknown(name) end
  local body = entry.row and require("cusp.ops.define").bodies[entry.row.name]
  if (entry.row and not body) or entry.note then
    return print(("%s is written in C"):format(entry.path))
  end
  print_source(body or entry.value, entry.path)
end

--- Lists what mentions a word in its name or description.
-- @tparam string word
function help.apropos(word)
  if type(word) ~= "string" or word == "" then
    return print 'apropos expects a word, as in apropos "pooling"'
  end
  local found = lookup.mentioning(word)
  if #found == 0 then print(("nothing mentions '%s'"):format(word)) end
  for _, entry in ipairs(found) do print_line(entry) end
end

---------------------------------------------------------------- the function

return setmetatable(help, {
  __call = function(_, ...) return help.print(...) end,
  __tostring = function()
    return 'help(): how to begin; help "softmax", help(layers.Dense): what a thing is'
  end,
})
