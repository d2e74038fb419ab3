--- JSON (RFC 8259), read and written like Python's `json`, without losing information in Lua
-- tables. Null is `cusp.null`; marked objects distinguish `{}` from `[]` and keep the order of
-- their keys (see cusp.base.ordered); integers stay integers; `NaN`, `Infinity` and `-Infinity` are
-- allowed, as in Keras's files. This is not a library, because available ones lack one of these
-- features or are too slow for files of megabytes.
-- @module cusp.formats.json
local errors = require "cusp.base.errors"
local in_c = require "cusp.base.plain"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"
local nulls = require "cusp.base.nulls"
local ordered = require "cusp.base.ordered"
local None = require("cusp.base.shape").None

local json = {null = null}
local byte, find, sub, format = string.byte, string.find, string.sub, string.format
local number_format, to_number = in_c.format, in_c.tonumber

-- Limits nesting: a file of a million brackets must not exhaust the stack.
json.max_depth = 500

---------------------------------------------------------------- decoding

local function fail(text, position, what)
  local line, last = 1, 0
  for at in text:sub(1, position - 1):gmatch "()\n" do line, last = line + 1, at end
  errors.raise("json: %s at line %d, column %d", what, line, position - last)
end

local function what_is_at(text, position)
  if position > #text then return "the end of the text" end
  return ("%q"):format(text:sub(position, position + 9):match "^[^%c]*")
end

local escapes = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r",
  t = "\t"}

local function unescape_unicode(text, position)
  local digits = text:match("^u(%x%x%x%x)", position)
  if not digits then fail(text, position, "malformed \\u escape") end
  local code = tonumber(digits, 16)
  local low = code >= 0xD800 and code < 0xDC00
    and text:match("^\\u([dD][c-fC-F]%x%x)", position + 5)
  if low then
    return utf8.char(0x10000 + ((code - 0xD800) << 10) + (tonumber(low, 16) - 0xDC00)),
      position + 11
  end
  return utf8.char(code), position + 5
end

-- Parses the rest of a string from `position`; `start` is its first character.
local function decode_escaped(text, start, position)
  local parts, from = {}, start
  while true do
    local character = byte(text, position)
    parts[#parts + 1] = sub(text, from, position - 1)
    if character == 34 then return table.concat(parts), position + 1 end
    if character ~= 92 then
      fail(text, position, character and "unescaped control character in a string"
        or "unfinished string")
    end
    local plain = escapes[sub(text, position + 1, position + 1)]
    if plain then
      parts[#parts + 1], from = plain, position + 2
    elseif byte(text, position + 1) == 117 then
      parts[#parts + 1], from = unescape_unicode(text, position + 1)
    else
      fail(text, position, "unknown escape")
    end
    position = find(text, '[\0-\31"\\]', from) or #text + 1
  end
end

local function decode_string(text, position)
  local stop = find(text, '[\0-\31"\\]', position + 1) or #text + 1
  if byte(text, stop) == 34 then return sub(text, position + 1, stop - 1), stop + 1 end
  return decode_escaped(text, position + 1, stop)
end

local words = {
  [116] = {"true", true}, [102] = {"false", false}, [110] = {"null", null},
  [78] = {"NaN", 0 / 0}, [73] = {"Infinity", math.huge},
}

local function decode_number(text, position)
  local _, stop = find(text, "^%-?%d+", position)
  if not stop then
    if find(text, "^%-Infinity", position) then return -math.huge, position + 9 end
    fail(text, position, "expected a value, got " .. what_is_at(text, position))
  end
  local whole = stop
  if find(text, "^%-?0%d", position) then fail(text, position, "a number with a leading zero") end
  local following = byte(text, stop + 1)
  if following == 46 then
    _, stop = find(text, "^%d+", stop + 2)
    if not stop then fail(text, position, "a number without digits after its point") end
    following = byte(text, stop + 1)
  end
  if following == 101 or following == 69 then
    _, stop = find(text, "^[+-]?%d+", stop + 2)
    if not stop then fail(text, position, "a number without digits in its exponent") end
  end
  local digits = sub(text, position, stop)
  local number = tonumber(digits) or to_number(digits) -- whole numbers beyond 64 bits become floats
  if stop == whole then number = math.tointeger(number) or number end
  return number, stop + 1
end

-- Objects with the same keys in the same order share one metatable. The keys form a tree, in which
-- each node leads to the next key. Beyond a number of keys, an object is a dictionary rather than a
-- record and gets its own list.
local most_shared = 64

local function path_to(node)
  local keys = {}
  for i = node[3], 1, -1 do keys[i], node = node[2], node[4] end
  return keys
end

local function mark_of(node)
  local mark = node[1]
  if not mark then
    mark = {__jsontype = "object", __jsonorder = path_to(node), shared = true}
    node[1] = mark
  end
  return mark
end

local function next_node(node, key)
  local following = node[key]
  if not following then
    following = {false, key, node[3] + 1, node} -- mark, last key, depth, parent
    node[key] = following
  end
  return following
end

local function skip(text, position)
  local character = byte(text, position)
  if character == 32 or character == 10 or character == 13 or character == 9 then
    local _, stop = find(text, "^[ \n\r\t]+", position)
    return stop + 1, byte(text, stop + 1)
  end
  return position, character
end

local decode_value

local function decode_array(text, position, depth, root)
  local result, n = {}, 0
  local character
  position, character = skip(text, position + 1)
  if character == 93 then return result, position + 1 end
  while true do
    n = n + 1
    result[n], position = decode_value(text, position, depth, root)
    position, character = skip(text, position)
    if character == 93 then return result, position + 1 end
    if character ~= 44 then
      fail(text, position, "expected ',' or ']', got " .. what_is_at(text, position))
    end
    position, character = skip(text, position + 1)
    if character == 93 then fail(text, position, "a comma before ']'") end
  end
end

local function decode_key(text, position, character)
  if character ~= 34 then
    fail(text, position, "expected a key in quotes, got " .. what_is_at(text, position))
  end
  local key
  key, position = decode_string(text, position)
  position, character = skip(text, position)
  if character ~= 58 then
    fail(text, position, "expected ':', got " .. what_is_at(text, position))
  end
  return key, (skip(text, position + 1))
end

local function finish_object(result, node, keys)
  return setmetatable(result, keys and {__jsontype = "object", __jsonorder = keys} or mark_of(node))
end

local function decode_object(text, position, depth, root)
  local result, node = {}, root
  local keys, key, character
  position, character = skip(text, position + 1)
  if character == 125 then return finish_object(result, node), position + 1 end
  while true do
    key, position = decode_key(text, position, character)
    if result[key] == nil then
      if keys then keys[#keys + 1] = key
      elseif node[3] < most_shared then node = next_node(node, key)
      else
        keys = path_to(node)
        keys[#keys + 1] = key
      end
    end
    result[key], position = decode_value(text, position, depth, root)
    position, character = skip(text, position)
    if character == 125 then return finish_object(result, node, keys), position + 1 end
    if character ~= 44 then
      fail(text, position, "expected ',' or '}', got " .. what_is_at(text, position))
    end
    position, character = skip(text, position + 1)
  end
end

function decode_value(text, position, depth, root)
  local character = byte(text, position)
  if character == 34 then return decode_string(text, position) end
  if character == 123 or character == 91 then
    if depth >= json.max_depth then
      fail(text, position, ("nested deeper than %d levels"):format(json.max_depth))
    end
    if character == 123 then return decode_object(text, position, depth + 1, root) end
    return decode_array(text, position, depth + 1, root)
  end
  local word = words[character]
  if word then
    if sub(text, position, position + #word[1] - 1) == word[1] then
      return word[2], position + #word[1]
    end
    fail(text, position, "expected a value, got " .. what_is_at(text, position))
  end
  return decode_number(text, position)
end

--- Parses a JSON text.
-- @tparam string text UTF-8, with or without a byte order mark
-- @return the value; null is `cusp.null`, so nil never occurs inside
-- @raise if the text is not JSON, with line and column
-- @usage local config = cusp.json.decode '{"units": 32, "activation": null}'
function json.decode(text)
  if type(text) ~= "string" then
    errors.raise("json.decode: expected a string, got %s", errors.describe(text))
  end
  local start = skip(text, sub(text, 1, 3) == "\xEF\xBB\xBF" and 4 or 1)
  local value, position = decode_value(text, start, 0, {false, nil, 0})
  position = skip(text, position)
  if position <= #text then
    fail(text, position, "expected the end of the text, got " .. what_is_at(text, position))
  end
  return value
end

---------------------------------------------------------------- encoding

local short_escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

local function escape(character)
  return short_escapes[character] or format("\\u%04x", byte(character))
end

local function escape_code(code)
  if code < 0x10000 then return format("\\u%04x", code) end
  code = code - 0x10000
  return format("\\u%04x\\u%04x", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
end

local function encode_string(value, state)
  local text = value:gsub('[\0-\31"\\]', escape)
  if state.ascii and find(text, "[\x80-\xFF]") then
    if not utf8.len(text, 1, -1, true) then errors.raise("json.encode: %q is not UTF-8", value) end
    text = text:gsub("[\xC0-\xFD][\x80-\xBF]*", function(sequence)
      return escape_code(utf8.codepoint(sequence, 1, 1, true))
    end)
  end
  return '"' .. text .. '"'
end

--- The shortest decimal text that reads back as the same number, as in Python.
local function encode_number(value)
  if math.type(value) == "integer" then return format("%d", value) end
  if value ~= value then return "NaN" end
  if value == math.huge then
    return "Infinity"
  elseif value == -math.huge then
    return "-Infinity"
  end
  local text
  for digits = 15, 17 do
    text = number_format("%." .. digits .. "g", value)
    if tonumber(text) == value then break end
  end
  if not find(text, "[.e]") then text = text .. ".0" end
  return text
end

local encode_value

-- Whether to write a table as an object; rejects tables that are neither object nor list.
local function is_object(value)
  if ordered.is_object(value) then return true end
  local length, count = #value, 0
  for key in next, value do
    if type(key) == "string" then
      if length > 0 then errors.raise("json.encode: a table has both items and the key %q", key) end
      return true
    end
    if math.type(key) ~= "integer" or key < 1 or key > length then
      errors.raise("json.encode: a list has the key %s outside 1 to %d", in_c.tostring(key), length)
    end
    count = count + 1
  end
  if count ~= length then
    errors.raise("json.encode: a list of %d items has holes; use cusp.null for missing values",
      length)
  end
  return false
end

local function encode_items(parts, open, close, state, depth)
  if #parts == 0 then return open .. close end
  if not state.indent then return open .. table.concat(parts, state.item_separator) .. close end
  local inner = "\n" .. state.indent:rep(depth)
  return open .. inner .. table.concat(parts, "," .. inner) .. "\n" .. state.indent:rep(depth - 1)
    .. close
end

local function encode_table(value, state, depth)
  if not lists.is_container(value) then
    errors.raise("json.encode: %s has no JSON form", errors.describe(value))
  end
  if depth > json.max_depth then
    errors.raise("json.encode: tables nested deeper than %d levels, or containing themselves",
      json.max_depth)
  end
  local parts = {}
  if is_object(value) then
    for i, key in ipairs(ordered.keys(value)) do
      parts[i] = encode_string(key, state) .. state.key_separator
        .. encode_value(value[key], state, depth + 1)
    end
    return encode_items(parts, "{", "}", state, depth)
  end
  for i = 1, #value do parts[i] = encode_value(value[i], state, depth + 1) end
  return encode_items(parts, "[", "]", state, depth)
end

function encode_value(value, state, depth)
  local kind = type(value)
  if kind == "string" then return encode_string(value, state) end
  if kind == "number" then return encode_number(value) end
  if kind == "boolean" then return tostring(value) end
  if value == nil or value == None or nulls.is(value) then return "null" end
  if kind == "table" then return encode_table(value, state, depth) end
  errors.raise("json.encode: %s has no JSON form", errors.describe(value))
end

local function indent_text(indent)
  if indent == nil or type(indent) == "string" then return indent end
  local spaces = type(indent) == "number" and math.tointeger(indent)
  if not spaces or spaces < 0 or spaces > 1000 then
    errors.raise("json.encode: indent should be a number of spaces or a string, got %s",
      errors.describe(indent))
  end
  return (" "):rep(spaces)
end

--- Converts a value to JSON text. An unmarked empty table is `[]`; `cusp.json.object{}` is `{}`.
-- `cusp.None` becomes null.
-- @param value tables, strings, numbers, booleans, null
-- @tparam[opt] table options `indent`: a number of spaces or a string, for multi-line text;
-- `ascii`: writes non-ASCII characters as `\u` escapes; `compact`: no space after `,` and `:`
-- @treturn string
-- @raise for values without a JSON form: functions, tensors, objects, lists with holes
function json.encode(value, options)
  options = options or {}
  if type(options) ~= "table" then
    errors.raise("json.encode: the options should be a table, got %s", errors.describe(options))
  end
  local state = {
    indent = indent_text(options.indent),
    ascii = options.ascii,
    item_separator = options.compact and "," or ", ",
    key_separator = options.compact and ":" or ": ",
  }
  return encode_value(value, state, 1)
end

--- Marks a table as an object (written as `{}` even if empty), with the order of its keys; see
-- cusp.base.ordered.
function json.object(object, keys)
  if object ~= nil and type(object) ~= "table" or object == null then
    errors.raise("json.object: expected a table, got %s", errors.describe(object))
  end
  return ordered.object(object, keys)
end

return json
