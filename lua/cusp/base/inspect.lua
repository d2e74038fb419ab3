--- Values as text: tensors and models as they print, tables sorted and abridged, functions with
-- their arguments and where they are.
-- @module cusp.inspect
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"
local MOST_ITEMS, WIDTH, DEEPEST = 20, 78, 3

local show -- forward

local words =
  "and break do else elseif end false for function goto if in local nil not or repeat return then "
  .. "true until while"
local reserved = {}
for word in words:gmatch "%a+" do reserved[word] = true end

local function quote(text)
  if #text > 500 then text = text:sub(1, 497) .. "..." end
  return '"' .. text:gsub('[%c"\\]', function(c)
    return ({["\n"] = "\\n", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\"})[c]
      or ("\\%03d"):format(c:byte())
  end) .. '"'
end

local function key_text(key, depth, state)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" and not reserved[key] then return key end
  return "[" .. (type(key) == "string" and quote(key) or show(key, depth + 1, state)) .. "]"
end

-- Keys beyond the array part, sorted.
local function other_keys(t, length)
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= length) then
      keys[#keys + 1] = key
    end
  end
  plain.sort(keys, lists.before)
  return keys
end

-- The items of a table as text; `state` has the depth that is shown and the tables around this one.
local function items_of(t, depth, state)
  local items, length = {}, rawlen(t)
  for i = 1, math.min(length, state.items) do items[i] = show(rawget(t, i), depth + 1, state) end
  if length > state.items then items[#items + 1] = ("... %d more"):format(length - state.items) end
  local keys = other_keys(t, length)
  for i = 1, math.min(#keys, state.items) do
    items[#items + 1] = key_text(keys[i], depth, state) .. " = "
      .. show(rawget(t, keys[i]), depth + 1, state)
  end
  if #keys > state.items then items[#items + 1] = ("... %d more"):format(#keys - state.items) end
  return items
end

local function show_table(t, depth, state)
  if next(t) == nil then return "{}" end
  if depth >= state.depth or state.around[t] then return "{...}" end
  state.around[t] = true
  local items = items_of(t, depth, state)
  state.around[t] = nil
  local line = "{" .. table.concat(items, ", ") .. "}"
  if #line + 2 * depth <= WIDTH and not line:find("\n", 1, true) then return line end
  for i, item in ipairs(items) do items[i] = "  " .. item:gsub("\n", "\n  ") end
  return "{\n" .. table.concat(items, ",\n") .. "\n}"
end

local function has_text(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

local function show_function(f)
  local info, names = debug.getinfo(f, "Su"), {}
  if info.what == "C" then return "function(...), in C" end
  for i = 1, info.nparams do names[i] = debug.getlocal(f, i) end
  if info.isvararg then names[#names + 1] = "..." end
  return ("function(%s), %s:%d"):format(table.concat(names, ", "), info.short_src,
    info.linedefined)
end

-- Within a table a large tensor is its type alone, and other long text its first line.
local function abridge(text, value)
  if not text:find("\n", 1, true) then return text end
  if type(value) == "userdata" and text:find ", shape = " then
    return text:match "^%a+%(" .. "..." .. text:match ", shape = .*$"
  end
  return text:match "^[^\n]*" .. " ..."
end

show = function(value, depth, state)
  if type(value) == "string" then return quote(value) end
  if type(value) == "table" and not has_text(value) then return show_table(value, depth, state) end
  if type(value) == "function" and not has_text(value) then return show_function(value) end
  local text = plain.tostring(value)
  return depth > 0 and abridge(text, value) or text
end

local function option(options, name, least, default)
  local value = options[name]
  if value == nil then return default end
  if math.type(value) ~= "integer" and value ~= math.huge or value < least then
    errors.raise("inspect: %s should be an integer of at least %d, got %s", name, least,
      errors.describe(value))
  end
  return value
end

local function check_options(options)
  if type(options) ~= "table" then
    errors.raise("inspect: expected a table of options such as {depth = 5}, got %s",
      errors.describe(options))
  end
  for name in pairs(options) do
    if name ~= "depth" and name ~= "items" then
      errors.raise("inspect: unknown argument '%s'%s", plain.tostring(name),
        errors.suggestion(name, {"depth", "items"}))
    end
  end
end

--- A value as the prompt shows it.
-- @function cusp.inspect
-- @param value
-- @tparam[opt] table options `depth`: how many tables within one another are shown (3; math.huge
-- for all); `items`: how many items of one table (20)
-- @treturn string
-- @usage print(cusp.inspect({1, {2, {3, {4}}}, name = "nested"}, {depth = 5}))
return function(value, options)
  options = options or {}
  check_options(options)
  return show(value, 0, {
    depth = option(options, "depth", 0, DEEPEST),
    items = option(options, "items", 0, MOST_ITEMS), around = {},
  })
end
