--- YAML, through libyaml (the package lua-yaml, `lyaml`), with null, empty lists and the order of
-- keys as in cusp.json. Writes PyYAML's block style; reads any style, including tags of Python's
-- plain types. Tags for Python objects or functions are refused: no file can run code.
-- @module cusp.formats.yaml
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"
local nulls = require "cusp.base.nulls"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local None = require("cusp.base.shape").None

local yaml = {}
-- each level takes one level of C calls in libyaml's parser and a few in Lua's
local max_depth = 150
local max_values = 2000000   -- counted with what aliases repeat

-- lyaml is needed only here, so it is loaded on demand.
local function library()
  local ok, found = engine.attempt(require, "yaml")
  if not ok then
    errors.raise "yaml: the Lua package lyaml is needed (Debian: lua-yaml; LuaRocks: lyaml)"
  end
  return found
end

---------------------------------------------------------------- scalars

local words = {
  ["null"] = null, ["Null"] = null, ["NULL"] = null, ["~"] = null, [""] = null,
  ["true"] = true, ["True"] = true, ["TRUE"] = true, ["false"] = false, ["False"] = false,
  ["FALSE"] = false,
  [".inf"] = math.huge, [".Inf"] = math.huge, ["-.inf"] = -math.huge, [".nan"] = 0 / 0,
  [".NaN"] = 0 / 0,
}

local function plain_scalar(text)
  if words[text] ~= nil then return words[text] end
  if text:find "^[+-]?%d+$" or text:find "^0x%x+$"
    or text:find "^[+-]?%d*%.?%d*[eE]?[+-]?%d*$" and text:find "%d" then
    local number = plain.tonumber((text:gsub("^%+", "")))
    if number then return text:find "[.eE]" and not text:find "^0x" and number + 0.0 or number end
  end
  return text
end

local prefix = "tag:yaml.org,2002:"

-- Tags that add nothing to the value; `true` for strings, whatever they look like.
local plain_tags = {["!"] = true}
for name in (
  "int float bool null seq map omap python/int python/long python/float python/bool python/none "
  .. "python/list python/tuple "
  .. "python/dict timestamp"):gmatch "%S+" do
  plain_tags[prefix .. name] = false
end
for name in ("str python/str python/unicode"):gmatch "%S+" do plain_tags[prefix .. name] = true end

--- Raises for a tag of anything but a plain value; returns whether it means "string".
local function check_tag(event)
  local tag = event.tag
  if not tag then return false end
  if plain_tags[tag] == nil then
    local mark = event.start_mark and event.start_mark.line
    errors.raise("yaml: the tag %s%s is not for a plain value, so it is refused",
      tag:gsub("^" .. prefix:gsub("%p", "%%%0"), "!!"),
      mark and (" at line %d"):format(mark + 1) or "")
  end
  return plain_tags[tag]
end

local function scalar(event)
  if check_tag(event) or event.style ~= "PLAIN" and not event.tag then return event.value end
  return plain_scalar(event.value)
end

---------------------------------------------------------------- decoding

local compose

local function sequence(state, depth, result)
  while true do
    local event = state.next()
    if event.type == "SEQUENCE_END" then return result end
    result[#result + 1] = compose(state, event, depth)
  end
end

local function mapping(state, depth, result)
  local keys = getmetatable(result).__jsonorder
  while true do
    local event = state.next()
    if event.type == "MAPPING_END" then return result end
    local key = compose(state, event, depth)
    if type(key) == "table" and key ~= null then
      errors.raise "yaml: a list or table cannot be the key of a table"
    end
    if type(key) ~= "string" then key = tostring(key) end
    if result[key] == nil then keys[#keys + 1] = key end
    result[key] = compose(state, state.next(), depth)
  end
end

--- Counts repetitions by aliases: a few lines of aliases of aliases could expand to billions of
-- values.
local function count(state, values)
  state.values = state.values + values
  if state.values > max_values then
    errors.raise("yaml: the document expands to more than %d values", max_values)
  end
end

local function alias(state, event)
  local anchor = state.anchors[event.anchor]
  if not anchor then
    errors.raise("yaml: the alias *%s has no anchor before it", tostring(event.anchor))
  end
  count(state, anchor.values)
  return anchor.value
end

-- An anchor becomes valid at its end, so that nothing can contain itself.
local function collection(state, event, depth)
  check_tag(event)
  local before = state.values
  local result
  if event.type == "MAPPING_START" then result = mapping(state, depth + 1, ordered.object())
  else result = sequence(state, depth + 1, {}) end
  if event.anchor then
    state.anchors[event.anchor] = {value = result, values = state.values - before}
  end
  return result
end

function compose(state, event, depth)
  if depth > max_depth then errors.raise("yaml: nested deeper than %d levels", max_depth) end
  count(state, 1)
  local kind = event.type
  if kind == "ALIAS" then return alias(state, event) end
  if kind == "SEQUENCE_START" or kind == "MAPPING_START" then
    return collection(state, event, depth)
  end
  if kind ~= "SCALAR" then errors.raise("yaml: unexpected %s", tostring(kind)) end
  local value = scalar(event)
  if event.anchor then state.anchors[event.anchor] = {value = value, values = 1} end
  return value
end

--- Parses a YAML document.
-- @tparam string text
-- @return tables, strings, numbers, booleans, `cusp.null`
-- @raise if the text is not YAML, with the line; for tags of Python objects; if it is too deep or
-- expands to too many values
function yaml.decode(text)
  if type(text) ~= "string" then
    errors.raise("yaml.decode: expected a string, got %s", errors.describe(text))
  end
  local next_event = library().parser(text)
  local function advance()
    local ok, event = engine.attempt(next_event)
    if not ok then errors.raise("yaml: %s", (tostring(event):gsub("^[^\n]-:%d+: ", ""))) end
    if event == nil then errors.raise "yaml: the document ends too early" end
    return event
  end
  local event = advance()
  while event.type == "STREAM_START" or event.type == "DOCUMENT_START" do event = advance() end
  if event.type == "STREAM_END" then return null end
  return compose({next = advance, anchors = {}, values = 0}, event, 0)
end

---------------------------------------------------------------- encoding: scalars as PyYAML writes
---------------------------------------------------------------- them

-- Words that YAML 1.1 reads as booleans.
local booleans = {}
for word in ("y n yes no on off true false"):gmatch "%S+" do booleans[word] = true end

-- Strings that would be read as another type in plain style.
local function needs_quotes(text)
  return plain_scalar(text) ~= text or booleans[plain.lower(text)]
    or text:find "^[%s,%[%]{}#&*!|>'\"%%@`]" ~= nil
    or text:find "^[-?:]$" ~= nil or text:find "^[-?:]%s" ~= nil or text:find "^%-%-%-" ~= nil
    or text:find "^%.%.%." ~= nil
    or text:find ": " ~= nil or text:find " #" ~= nil or text:find "[%s:]$" ~= nil
    or text:find "^[=<]+$" ~= nil
    or text:find "^[%d.+-][%d_.:+-]*$" ~= nil
end

local escapes = {["\0"] = "\\0", ["\a"] = "\\a", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n",
  ["\v"] = "\\v", ["\f"] = "\\f",
  ["\r"] = "\\r", ["\27"] = "\\e", ['"'] = '\\"', ["\\"] = "\\\\"}

local function escape_code(code)
  if code < 128 then
    local character = string.char(code)
    return escapes[character] or code < 32 and ("\\x%02X"):format(code) or code == 127 and "\\x7F"
      or character
  end
  return code < 256 and ("\\x%02X"):format(code) or code < 65536 and ("\\u%04X"):format(code)
    or ("\\U%08X"):format(code)
end

local function double_quoted(text)
  if not utf8.len(text) then errors.raise("yaml.encode: %q is not UTF-8", text) end
  local parts = {}
  for _, code in utf8.codes(text) do parts[#parts + 1] = escape_code(code) end
  return '"' .. table.concat(parts) .. '"'
end

local function string_text(text)
  if text:find "[%c\127-\255]" then return double_quoted(text) end
  if needs_quotes(text) then return "'" .. text:gsub("'", "''") .. "'" end
  return text
end

local function scalar_text(value)
  if value == nil or value == None or nulls.is(value) then return "null" end
  if type(value) == "string" then return string_text(value) end
  if type(value) == "number" then
    if value ~= value then
      return ".nan"
    elseif value == math.huge then
      return ".inf"
    elseif value == -math.huge then
      return "-.inf"
    end
    -- a float of YAML 1.1 has a point
    return (require("cusp.formats.json").encode(value):gsub("^(%-?%d+)e", "%1.0e"))
  end
  return require("cusp.formats.json").encode(value)
end

---------------------------------------------------------------- encoding: block style

local tuple_tag = "!!python/tuple"

--- Marks a list to be written as a Python tuple; it is otherwise unchanged.
-- @tparam table list
-- @treturn table the list
function yaml.tuple(list)
  if type(list) ~= "table" or list == null then
    errors.raise("yaml.tuple: expected a list, got %s", errors.describe(list))
  end
  return setmetatable(list, {__jsontype = "list", __tuple = true})
end

local function is_tuple(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__tuple == true
end

-- Whether a table is written as a list. Rejects tables that are neither list nor object, rather
-- than omit entries.
local function is_list(value)
  if ordered.is_object(value) then return false end
  local length = #value
  for key in next, value do
    if type(key) == "string" then
      if length > 0 then errors.raise("yaml.encode: a table has both items and the key %q", key) end
      return false
    end
    if math.type(key) ~= "integer" or key < 1 or key > length then
      errors.raise("yaml.encode: a list has the key %s outside 1 to %d", tostring(key), length)
    end
  end
  return true
end

local function is_block(value)
  return type(value) == "table" and value ~= null and value ~= None and next(value) ~= nil
end

local emit

local function emit_list(value, indent, state, depth)
  for i = 1, #value do
    local item = value[i]
    local lines = state.lines
    if is_block(item) and is_tuple(item) then
      lines[#lines + 1] = indent .. "- " .. tuple_tag
      emit(item, indent .. "  ", state, depth + 1)
    elseif is_block(item) then
      local first = #lines + 1
      emit(item, indent .. "  ", state, depth + 1)
      lines[first] = indent .. "- " .. lines[first]:sub(#indent + 3)
    else
      lines[#lines + 1] = indent .. "- " .. emit(item, indent, state, depth + 1)
    end
  end
end

local function keys_of(value, state)
  local keys = ordered.keys(value)
  if state.sort_keys then plain.sort(keys) end
  return keys
end

local function emit_object(value, indent, state, depth)
  local lines = state.lines
  for _, key in ipairs(keys_of(value, state)) do
    local item, name = value[key], scalar_text(key)
    if is_block(item) then
      lines[#lines + 1] = indent .. name .. ":" .. (is_tuple(item) and " " .. tuple_tag or "")
      emit(item, indent .. (is_list(item) and "" or "  "), state, depth + 1)
    else
      lines[#lines + 1] = indent .. name .. ": " .. emit(item, indent, state, depth + 1)
    end
  end
end

-- Adds the lines of a nonempty table; returns the text of anything else.
function emit(value, indent, state, depth)
  if depth > max_depth then
    errors.raise("yaml.encode: tables nested deeper than %d levels, or containing themselves",
      max_depth)
  end
  if type(value) ~= "table" or value == None or nulls.is(value) then return scalar_text(value) end
  if not lists.is_container(value) then
    errors.raise("yaml.encode: %s has no YAML form", errors.describe(value))
  end
  if is_list(value) then
    if #value == 0 then return "[]" end
    emit_list(value, indent, state, depth)
  else
    if next(value) == nil then return "{}" end
    emit_object(value, indent, state, depth)
  end
end

--- Converts a value to YAML text, in block style.
-- @param value tables, strings, numbers, booleans, null
-- @tparam[opt] table options `sort_keys`: sort keys alphabetically, PyYAML's default
-- @treturn string
-- @raise for values without a YAML form
function yaml.encode(value, options)
  if options ~= nil and type(options) ~= "table" then
    errors.raise("yaml.encode: the options should be a table, got %s", errors.describe(options))
  end
  local state = {lines = {}, sort_keys = options and options.sort_keys}
  local text = emit(value, "", state, 1)
  if text then state.lines[1] = text end
  return table.concat(state.lines, "\n") .. "\n"
end

return yaml
