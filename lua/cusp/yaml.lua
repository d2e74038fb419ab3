--- YAML, through libyaml (the package lua-yaml, `lyaml`), with null, empty lists and the order of keys kept as cusp.json keeps them.
-- @module cusp.yaml
local errors = require "cusp.errors"
local null = require "cusp.null"
local ordered = require "cusp.ordered"
local None = require("cusp.shape").None

local yaml = {}
local max_depth = 500

-- lyaml is needed by nothing else, so it is loaded when it is used.
local function library()
  local ok, found = pcall(require, "yaml")
  if not ok then errors.raise "yaml: the Lua package lyaml is needed (Debian: lua-yaml; LuaRocks: lyaml)" end
  return found
end

---------------------------------------------------------------- decoding

local words = {
  ["null"] = null, ["Null"] = null, ["NULL"] = null, ["~"] = null, [""] = null,
  ["true"] = true, ["True"] = true, ["TRUE"] = true, ["false"] = false, ["False"] = false, ["FALSE"] = false,
  [".inf"] = math.huge, [".Inf"] = math.huge, ["-.inf"] = -math.huge, [".nan"] = 0 / 0, [".NaN"] = 0 / 0,
}

local function plain_scalar(text)
  if words[text] ~= nil then return words[text] end
  if text:find "^[+-]?%d+$" or text:find "^0x%x+$" or text:find "^[+-]?%d*%.?%d*[eE]?[+-]?%d*$" and text:find "%d" then
    local number = tonumber((text:gsub("^%+", "")))
    if number then return text:find "[.eE]" and not text:find "^0x" and number + 0.0 or number end
  end
  return text
end

local function scalar(event)
  if event.style ~= "PLAIN" or event.tag == "tag:yaml.org,2002:str" then return event.value end
  return plain_scalar(event.value)
end

local compose

local function sequence(parser, anchors, depth, result)
  while true do
    local event = parser()
    if event.type == "SEQUENCE_END" then return result end
    result[#result + 1] = compose(parser, event, anchors, depth)
  end
end

local function mapping(parser, anchors, depth, result)
  while true do
    local event = parser()
    if event.type == "MAPPING_END" then return result end
    local key = compose(parser, event, anchors, depth)
    if type(key) ~= "string" then key = tostring(key) end
    ordered.set(result, key, compose(parser, parser(), anchors, depth))
  end
end

function compose(parser, event, anchors, depth)
  if depth > max_depth then errors.raise("yaml: nested deeper than %d levels", max_depth) end
  local kind = event.type
  if kind == "SCALAR" then
    local value = scalar(event)
    if event.anchor then anchors[event.anchor] = value end
    return value
  elseif kind == "ALIAS" then
    local value = anchors[event.anchor]
    if value == nil then errors.raise("yaml: the alias *%s has no anchor", tostring(event.anchor)) end
    return value
  elseif kind == "SEQUENCE_START" or kind == "MAPPING_START" then
    local is_mapping = kind == "MAPPING_START"
    local result = is_mapping and ordered.object() or {}
    -- An anchor counts from its end, so that nothing can contain itself.
    result = is_mapping and mapping(parser, anchors, depth + 1, result) or sequence(parser, anchors, depth + 1, result)
    if event.anchor then anchors[event.anchor] = result end
    return result
  end
  errors.raise("yaml: unexpected %s", tostring(kind))
end

--- The value of a YAML document.
-- @tparam string text
-- @return tables, strings, numbers, booleans, `cusp.null`
-- @raise where the text is not YAML, with the line
function yaml.decode(text)
  if type(text) ~= "string" then errors.raise("yaml.decode: expected a string, got %s", errors.describe(text)) end
  local next_event = library().parser(text)
  local function parser()
    local ok, event = pcall(next_event)
    if not ok then errors.raise("yaml: %s", tostring(event):gsub("^[^\n]-:%d+: ", "")) end
    if event == nil then errors.raise "yaml: the document ends too early" end
    return event
  end
  local event = parser()
  while event.type == "STREAM_START" or event.type == "DOCUMENT_START" do event = parser() end
  if event.type == "STREAM_END" then return null end
  return compose(parser, event, {}, 0)
end

---------------------------------------------------------------- encoding

-- Strings that would read as something else in plain style.
local function needs_quotes(text)
  return plain_scalar(text) ~= text or text:find "^[%s%-?:,%[%]{}#&*!|>'\"%%@`]" ~= nil or text:find "[%c\128-\255]" ~= nil
    or text:find ": " ~= nil or text:find " #" ~= nil or text:find "[%s:]$" ~= nil or text:find "^[yYnN]$" ~= nil
    or text:find "^[yY]es$" ~= nil or text:find "^[nN]o$" ~= nil or text:find "^[oO][nf]f?$" ~= nil
end

local function quote(text)
  return require("cusp.json").encode(text)
end

local function scalar_text(value)
  if value == nil or value == null or value == None then return "null" end
  if type(value) == "string" then return needs_quotes(value) and quote(value) or value end
  if type(value) == "number" then
    if value ~= value then return ".nan" elseif value == math.huge then return ".inf" elseif value == -math.huge then return "-.inf" end
    return (require("cusp.json").encode(value):gsub("^(%-?%d+)e", "%1.0e")) -- a float of YAML 1.1 has a point
  end
  return require("cusp.json").encode(value)
end

local function is_list(value)
  return not ordered.is_object(value) and (#value > 0 or next(value) == nil)
end

local emit

local function emit_list(value, indent, lines, depth)
  for i = 1, #value do
    local item = value[i]
    if type(item) == "table" and item ~= null and item ~= None and next(item) ~= nil then
      local first = #lines + 1
      emit(item, indent .. "  ", lines, depth + 1)
      lines[first] = indent .. "- " .. lines[first]:sub(#indent + 3)
    else
      lines[#lines + 1] = indent .. "- " .. emit(item, indent, lines, depth + 1)
    end
  end
end

local function emit_object(value, indent, lines, depth)
  for _, key in ipairs(ordered.keys(value)) do
    local item, name = value[key], scalar_text(key)
    if type(item) == "table" and item ~= null and item ~= None and next(item) ~= nil then
      lines[#lines + 1] = indent .. name .. ":"
      emit(item, indent .. (is_list(item) and "" or "  "), lines, depth + 1)
    else
      lines[#lines + 1] = indent .. name .. ": " .. emit(item, indent, lines, depth + 1)
    end
  end
end

-- Adds the lines of a table that is not empty; returns the text of anything else.
function emit(value, indent, lines, depth)
  if depth > max_depth then errors.raise("yaml.encode: tables nested deeper than %d levels, or containing themselves", max_depth) end
  if type(value) ~= "table" or value == null or value == None then return scalar_text(value) end
  local meta = getmetatable(value)
  if meta ~= nil and not ordered.is_object(value) then errors.raise("yaml.encode: %s has no YAML form", errors.describe(value)) end
  if is_list(value) then
    if #value == 0 then return "[]" end
    emit_list(value, indent, lines, depth)
  else
    if next(value) == nil then return "{}" end
    emit_object(value, indent, lines, depth)
  end
end

--- The YAML text of a value, in block style.
-- @param value tables, strings, numbers, booleans, null
-- @treturn string
-- @raise for values without a YAML form
function yaml.encode(value)
  local lines = {}
  local text = emit(value, "", lines, 1)
  if text then lines[1] = text end
  return table.concat(lines, "\n") .. "\n"
end

return yaml
