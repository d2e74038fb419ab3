--- Entries of the reference: what the table of operations, the declared arguments and the comments
-- in the sources say of a function, a class or a method. All pages, the annotations for editors and
-- luacheck's names are made from them.
--
-- An entry is `{path = "layers.Dense", name =, brackets = "()" or "{}", parameters =, comment =,
-- text =, example =, others = further names, value =, class =, methods =}`.
local Object = require "cusp.base.class"
local doc_comments = require "cusp.base.doc_comments"
local lookup = require "cusp.prompt.lookup"
local namespace = require "cusp.base.namespace"
local parameters = require "cusp.prompt.parameters"

local entries = {}

local silent = {text = {}, parameters = {}, returns = {}, raises = {}, usage = {}, see = {}}

---------------------------------------------------------------- text

--- A comment's text as one paragraph, and its indented examples.
function entries.paragraph(lines)
  local text, example = {}, {}
  for _, line in ipairs(lines) do
    if line:find "^    " then
      example[#example + 1] = line:sub(5)
    elseif line ~= "" then
      text[#text + 1] = line
    end
  end
  return table.concat(text, " "), table.concat(example, "\n")
end

-- Removes the indentation of an example's later lines in the comment.
local function dedent(text)
  local least
  for spaces in text:gmatch "\n( *)%S" do least = math.min(least or #spaces, #spaces) end
  return (text:gsub("\n" .. (" "):rep(least or 0), "\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

local function sentence(text) return text:find "[%w`)\"}]$" and text .. "." or text end

--- A default, as Lua writes it.
function entries.value_text(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = entries.value_text(item) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return tostring(value)
end

---------------------------------------------------------------- arguments

local function lacks(list, said)
  local names = {}
  for _, parameter in ipairs(list) do names[parameter.name] = true end
  for _, parameter in ipairs(said) do
    if not names[parameter.name] then return true end
  end
  return false
end

local function of_function(value, comment)
  local f, declared = Object.method_behind(value), parameters.of(value)
  if declared and not lacks(declared, comment.parameters) then return declared end
  if #comment.parameters > 0 then return parameters.known(nil, comment) end
  return parameters.known(f, comment)
end

-- Kinds and texts that a comment adds to what is declared.
local function described(list, comment)
  local said = {}
  for _, parameter in ipairs(comment.parameters) do said[parameter.name] = parameter end
  for _, parameter in ipairs(list) do
    local note = said[parameter.name]
    parameter.text = parameter.text or note and note.text ~= "" and note.text or nil
    if (parameter.kind or "any") == "any" then parameter.kind = note and note.kind end
  end
  return list
end

---------------------------------------------------------------- making them

local function full_text(comment)
  local text, example = entries.paragraph(comment.text)
  if #comment.returns > 0 then
    text = ("%s Returns %s"):format(sentence(text), sentence(table.concat(comment.returns, ", ")))
  end
  if #comment.raises > 0 then
    text = ("%s Raises an error %s"):format(sentence(text),
      sentence(table.concat(comment.raises, "; ")))
  end
  local usage = dedent(table.concat(comment.usage, "\n"))
  return text, usage ~= "" and usage or example
end

--- An entry from a comment.
-- @tparam string path
-- @tparam string brackets
-- @tparam {table,...} list of parameters
-- @tparam table comment
-- @tparam[opt] table more fields
function entries.new(path, brackets, list, comment, more)
  local entry = {path = path, name = path:match "[%w_]+$", brackets = brackets,
    parameters = described(list, comment), comment = comment, others = {}}
  entry.text, entry.example = full_text(comment)
  for key, value in pairs(more or {}) do entry[key] = value end
  return entry
end

--- A comment that is written here, for what has none in the sources.
function entries.comment(text, more)
  local comment = setmetatable({text = {text}}, {__index = silent})
  for key, value in pairs(more or {}) do comment[key] = value end
  return comment
end

--- The entry of an operation, from its row.
function entries.of_operation(row, path)
  local body = require("cusp.ops.define").bodies[row.name]
  local said = body and doc_comments.of_function(body) or silent
  local list = row.arguments
  if #list == 0 and #said.parameters > 0 then list = parameters.known(nil, said) end
  local comment = entries.comment(row.help,
    {parameters = said.parameters, returns = said.returns, raises = said.raises})
  return entries.new(path, "()", list, comment, {row = row})
end

--- The entry of a function.
function entries.of_function(path, f, comment, others)
  return entries.new(path, "()", of_function(f, comment), comment, {value = f, others = others})
end

--- The entry of a class.
function entries.of_class(path, class, comment, others)
  local list = parameters.of(class)
  if #list == 0 then list = parameters.known(nil, comment) end
  return entries.new(path, "{}", list, comment,
    {value = class, class = class, others = others, methods = {}})
end

---------------------------------------------------------------- members of namespaces

-- What every namespace of objects can do, and functions that make a layer and call it.
local usual = {
  get = "The %s that a name, a configuration or an object stands for.",
  serialize = "The configuration of a %s, from which `deserialize` makes it again.",
  deserialize = "The %s of a configuration.",
}
local arguments_of = {
  get = {{name = "identifier"}}, serialize = {{name = "object"}},
  deserialize = {{name = "config"}, {name = "custom_objects", optional = true}},
}

local function of_usual(space_path, name)
  if not usual[name] then return nil end
  local what = space_path == "losses" and "loss" or space_path:match "(%w+)s$"
  return entries.comment(usual[name]:format(what)), arguments_of[name]
end

local function of_functional_layer(space, name)
  local class = space[name:sub(1, 1):upper() .. name:sub(2)]
  if not Object.is_subclass(class, Object) then return nil end
  return entries.comment(("Makes a `layers.%s` and calls it with a list of inputs."):format(
    class.__name)), {{name = "inputs", kind = "tensors"}, {name = "options", kind = "table",
      optional = true}}
end

local function of_writer(name)
  local writer = require("cusp").summary.SummaryWriter
  local method = writer and writer[name]
  if not method then return nil end
  return doc_comments.of_function(method), of_function(method, doc_comments.of_function(method))
end

-- A function does what the class of its name in Pascal case does in a model.
local function of_class_like(space, name)
  for _, other in ipairs(namespace.names(space)) do
    if namespace.snake_case(other) == name and Object.is_subclass(space[other], Object) then
      return doc_comments.of_class(space[other])
    end
  end
end

-- The comment and the parameters of a function that has no comment of its own.
local function borrowed(path, space, name, value)
  local row = parameters.operation(value)
  if row then return entries.comment(row.help), row.arguments end
  local comment, list = of_usual(path, name)
  if not comment and path == "layers" then comment, list = of_functional_layer(space, name) end
  if not comment and path == "applications" and name:find "^%u" then
    comment, list = entries.comment(("The network %s; see [Known networks](../applications.md) for "
      .. "the arguments."):format(name)), parameters.known(value, silent)
  end
  if not comment and path == "summary" then comment, list = of_writer(name) end
  if not comment then
    comment = lookup.comment(value, name) or of_class_like(space, name)
    list = comment and parameters.known(value, comment)
  end
  return comment, list
end

local function is_said(comment) return comment and #comment.text > 0 end

-- A member as an entry, or nil for what is no function or class.
local function of_member(path, space, prefix, name)
  local value = space[name]
  if Object.is_subclass(value, Object) then
    local comment = doc_comments.of_class(value)
    return comment and entries.of_class(prefix .. "." .. name, value, comment, {})
  elseif type(value) ~= "function" then
    return nil
  end
  local comment = doc_comments.of_function(value, name)
  if comment and comment.hidden then return nil end
  if is_said(comment) and path ~= "summary" then
    return entries.of_function(prefix .. "." .. name, value, comment, {})
  end
  local list
  comment, list = borrowed(path, space, name, value)
  return entries.new(prefix .. "." .. name, "()", list or parameters.known(value, comment),
    comment or entries.comment "", {value = value})
end

-- The longest name in lower case, which abbreviations stand for.
local function full_name(names)
  local found
  for _, name in ipairs(names) do
    if not name:find "%u" and (not found or #name > #found) then found = name end
  end
  return found
end

-- Lists a class's own name first, or a function's full one, then the others.
local function settle_names(entry, prefix)
  local names = entry.others
  names[#names + 1] = entry.name
  local own = entry.class and entry.class.__name or not entry.class and full_name(names)
  table.sort(names, function(a, b)
    if (a == own) ~= (b == own) then return a == own end
    return a < b
  end)
  entry.name = table.remove(names, 1)
  entry.path = prefix .. "." .. entry.name
end

--- The members of a namespace in the order of their names, one for all that are the same or share
-- a comment.
function entries.of_space(path, space, prefix)
  local list, known = {}, {}
  for _, name in ipairs(namespace.names(space)) do
    local entry = of_member(path, space, prefix, name)
    local same = entry and (known[entry.value] or entry.class and known[entry.comment])
    if same then
      table.insert(same.others, name)
    elseif entry then
      list[#list + 1], known[entry.value] = entry, entry
      if entry.class then known[entry.comment] = entry end
    end
  end
  for _, entry in ipairs(list) do settle_names(entry, prefix) end
  table.sort(list, function(a, b) return a.path < b.path end)
  return list
end

return entries
