--- The comments above classes and functions in the sources, for `help` and the reference. A comment
-- is `{text = {line, ...}, parameters = {{name =, kind =, default =, optional =, text =}, ...},
-- returns = {...}, raises = {...}, usage = {...}, see = {...}, hidden = whether it is internal to
-- the library}`.
-- @module cusp.base.doc_comments
local Object = require "cusp.base.class"
local namespace = require "cusp.base.namespace"
local rooms = require "cusp.base.rooms"

local doc_comments = {}

---------------------------------------------------------------- lines of files

local files = {}

local function lines_of(path)
  if files[path] == nil then
    local file = io.open(path)
    local lines = file and {}
    if file then
      for line in file:lines() do lines[#lines + 1] = line end
      file:close()
    end
    files[path] = lines or false
  end
  return files[path] or nil
end

---------------------------------------------------------------- marks

-- A tag and its text: "tparam", "opt=3", "integer n of samples".
local function mark_of(line)
  local mark, options, rest = line:match "^@(%w+)(%b[])%s*(.*)$"
  if mark then return mark, options:sub(2, -2), rest end
  mark, rest = line:match "^@(%w+)%s*(.*)$"
  return mark, "", rest
end

-- "kernel_constraint, bias_constraint of the weights" → two names and the text.
local function split_names(text)
  local names = {}
  while true do
    local name, rest = text:match "^([%w_.]+),%s+(.*)$"
    if not name then break end
    names[#names + 1], text = name, rest
  end
  local name, rest = text:match "^([%w_.]+)%s*(.*)$"
  if name then names[#names + 1] = name end
  return names, rest or ""
end

local function add_parameters(comment, kind, options, text)
  local names, rest = split_names(text)
  for _, name in ipairs(names) do
    comment.parameters[#comment.parameters + 1] =
      {name = name, kind = kind, default = options:match "^opt=(.*)$",
        optional = options:find "^opt" ~= nil, text = ""}
  end
  local last = comment.parameters[#comment.parameters]
  if last then last.text, last.names = rest, table.concat(names, "`, `") end
end

local lists = {treturn = "returns", ["return"] = "returns", raise = "raises", usage = "usage",
  see = "see"}

local function add_mark(comment, mark, options, text)
  if mark == "tparam" then
    local kind, rest = text:match "^(%S+)%s+(.*)$"
    if kind then add_parameters(comment, kind, options, rest) end
  elseif mark == "param" then
    add_parameters(comment, nil, options, text)
  elseif mark == "local" then
    comment.hidden = true
  elseif lists[mark] then
    table.insert(comment[lists[mark]], text)
  end
end

-- Lines that continue a tag. An example ends at an empty line; text follows it.
local function add_continuation(comment, mark, line)
  local list = comment[lists[mark] or "parameters"]
  local last = list[#list]
  if mark == "usage" then
    list[#list] = last .. "\n" .. line
  elseif type(last) == "table" then
    last.text = (last.text .. " " .. line:match "^%s*(.*)$"):match "^%s*(.*)$"
  elseif last then
    list[#list] = last .. " " .. line:match "^%s*(.*)$"
  end
end

local function parse(lines, first, last)
  local comment = {text = {}, parameters = {}, returns = {}, raises = {}, usage = {}, see = {}}
  local current
  for i = first, last do
    local line = lines[i]:gsub("^%-%-%-? ?", "")
    local mark, options, rest = mark_of(line)
    if current == "usage" and line == "" then current = nil end
    if mark then
      current = mark
      add_mark(comment, mark, options, rest)
    elseif current then
      add_continuation(comment, current, line)
    else
      comment.text[#comment.text + 1] = line
    end
  end
  return comment
end

---------------------------------------------------------------- finding comments

local parsed = {} -- path → line → comment, so that one comment is one table

--- The comment that ends just above a line.
-- @tparam string path
-- @tparam integer line
-- @treturn ?table
function doc_comments.above(path, line)
  local lines = lines_of(path)
  if not lines or line > #lines then return nil end
  local first = line
  while first > 1 and lines[first - 1]:find "^%-%-" and not lines[first - 1]:find "^%-%-%-%-" do
    first = first - 1
  end
  if first == line then return nil end
  parsed[path] = parsed[path] or {}
  parsed[path][first] = parsed[path][first] or parse(lines, first, line - 1)
  return parsed[path][first]
end

--- The comment at the top of a file.
function doc_comments.of_file(path)
  for i, line in ipairs(lines_of(path) or {}) do
    if not line:find "^%-%-" then return doc_comments.above(path, i) end
  end
end

local spaces = {"layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks",
  "initializers", "regularizers",
  "constraints", "models", "utils", "data"}

-- The library file of a class's member.
local function file_of_member(class)
  for _, name in ipairs(spaces) do
    local space = rooms.get(name)
    local member = getmetatable(space).__members[class.__name]
    if member and space[class.__name] == class then
      return package.searchpath(("cusp.%s.%s"):format(name,
        type(member) == "table" and member[1] or member), package.path)
    end
  end
end

-- Where methods are from that every class gets, such as an `init` for a declared `config`.
local given = debug.getinfo(Object.extend, "S").source

-- How well a method's file fits its class: by its name, by what the method is, or at all.
local function fitness(source, key, file)
  if source == given then return 0 end
  return source:sub(-#file) == file and 3 or (key == "call" or key == "init") and 2 or 1
end

-- A method tells in which file a user's class is written. Of files that fit alike, the first by
-- name counts, so that the answer is always the same.
local function file_of_methods(class)
  local file = "/" .. namespace.snake_case(class.__name) .. ".lua"
  local found, best = nil, 0
  for key, value in next, class do
    local source = type(value) == "function" and debug.getinfo(value, "S").source
    local fits = source and fitness(source, key, file) or 0
    if fits > best or fits > 0 and fits == best and source < found then
      found, best = source, fits
    end
  end
  return found and found:match "^@(.*)$"
end

--- The comment of a class: above its `extend("NAME"`, or else at the top of its file.
-- @treturn ?table
function doc_comments.of_class(class)
  local path = file_of_member(class) or file_of_methods(class)
  local lines = path and lines_of(path)
  if not lines then return nil end
  for i, line in ipairs(lines) do
    if line:find('extend%(?%s*"' .. class.__name .. '"') then
      local found = doc_comments.above(path, i)
      if found then return found end
    end
  end
  return doc_comments.of_file(path)
end

-- The comment whose tag names the function that it documents.
local function marked(path, name)
  local lines = lines_of(path) or {}
  for i, line in ipairs(lines) do
    if line == "-- @function " .. name then
      while i < #lines and lines[i + 1]:find "^%-%-" do i = i + 1 end
      return doc_comments.above(path, i + 1)
    end
  end
end

--- The comment of a Lua function.
-- @tparam function f
-- @tparam[opt] string name for generated functions, whose comments name them
-- @treturn ?table
function doc_comments.of_function(f, name)
  local info = debug.getinfo(Object.method_behind(f), "S")
  local path = info.source:match "^@(.*)$"
  if not path then return nil end
  return name and marked(path, name) or doc_comments.above(path, info.linedefined)
end

--- The comment of a class or a function; nil for other values.
-- @param value
-- @tparam[opt] string name
-- @treturn ?table
function doc_comments.of_value(value, name)
  if type(value) == "function" then return doc_comments.of_function(value, name) end
  if type(value) == "table" and rawget(value, "__super") and rawget(value, "__name") then
    return doc_comments.of_class(value)
  end
end

-- The statement of a file that makes a class, and whether the file makes others.
local function class_lines(lines, name)
  local first, last, others
  for i, line in ipairs(lines) do
    local made = line:match 'extend%(?%s*"([%w_]+)"'
    others = others or made ~= nil and made ~= name
    if made == name then first = i end
    if first and not last and line:find "^}?%)" then last = i end
  end
  return first or 1, last or #lines, others and first ~= nil
end

--- Where a function or class is written.
-- @param value
-- @treturn ?integer the first line
-- @treturn ?integer the last line
-- @treturn ?string the file, or the name of the chunk
function doc_comments.range(value)
  if type(value) == "function" then
    local info = debug.getinfo(Object.method_behind(value), "S")
    if info.what == "C" then return nil end
    return info.linedefined, info.lastlinedefined, info.source:match "^[@=](.*)$"
  end
  if type(value) ~= "table" or not rawget(value, "__super") then return nil end
  local path = file_of_member(value) or file_of_methods(value)
  local lines = path and lines_of(path)
  if not lines then return nil end
  local first, last, others = class_lines(lines, value.__name)
  if others then return first, last, path end
  return 1, #lines, path
end

--- Lines of a file as one text; nil where it is not there.
-- @treturn ?string
function doc_comments.text(path, first, last)
  local lines = lines_of(path)
  return lines and table.concat(lines, "\n", math.max(first, 1), math.min(last, #lines))
end

--- All functions of a file that have a comment, in order.
-- @tparam string path
-- @treturn {table,...} `{owner =, separator = "." or ":", name =, parameters = text between the
-- brackets, comment =}`
function doc_comments.functions(path)
  local list = {}
  for i, line in ipairs(lines_of(path) or {}) do
    local owner, separator, name,
      parameters = line:match "^function ([%w_]+)([.:])([%w_]+)%s*(%b())"
    local comment = owner and doc_comments.above(path, i)
    if comment and name:sub(1, 1) ~= "_" then
      list[#list + 1] = {owner = owner, separator = separator, name = name,
        parameters = parameters:sub(2, -2), comment = comment}
    end
  end
  return list
end

return doc_comments
