--- Values as the prompt echoes them: tensors and models as they print, tables shallow, sorted and
-- abridged.
-- @module cusp.prompt.show
local plain = require "cusp.base.plain"
local MOST_ITEMS, WIDTH, DEEPEST = 20, 78, 2

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

local function key_text(key, depth)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" and not reserved[key] then return key end
  return "[" .. (type(key) == "string" and quote(key) or show(key, depth + 1)) .. "]"
end

local order = {number = 1, string = 2}

local function before(a, b)
  local kind_a, kind_b = order[type(a)] or 3, order[type(b)] or 3
  if kind_a ~= kind_b then return kind_a < kind_b end
  if kind_a == 3 then return plain.tostring(a) < plain.tostring(b) end
  return a < b
end

-- Keys beyond the array part, sorted.
local function other_keys(t, length)
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= length) then
      keys[#keys + 1] = key
    end
  end
  plain.sort(keys, before)
  return keys
end

local function items_of(t, depth)
  local items, length = {}, rawlen(t)
  for i = 1, math.min(length, MOST_ITEMS) do items[i] = show(rawget(t, i), depth + 1) end
  if length > MOST_ITEMS then items[#items + 1] = ("... %d more"):format(length - MOST_ITEMS) end
  local keys = other_keys(t, length)
  for i = 1, math.min(#keys, MOST_ITEMS) do
    items[#items + 1] = key_text(keys[i], depth) .. " = " .. show(rawget(t, keys[i]), depth + 1)
  end
  if #keys > MOST_ITEMS then items[#items + 1] = ("... %d more"):format(#keys - MOST_ITEMS) end
  return items
end

local function show_table(t, depth)
  if next(t) == nil then return "{}" end
  if depth >= DEEPEST then return "{...}" end
  local items = items_of(t, depth)
  local line = "{" .. table.concat(items, ", ") .. "}"
  if #line + 2 * depth <= WIDTH and not line:find("\n", 1, true) then return line end
  local indent = ("  "):rep(depth + 1)
  for i, item in ipairs(items) do items[i] = indent .. item:gsub("\n", "\n" .. indent) end
  return "{\n" .. table.concat(items, ",\n") .. "\n" .. ("  "):rep(depth) .. "}"
end

local function has_text(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

--- A value as text.
-- @param value
-- @tparam[opt=0] integer depth of the table that it is in
-- @treturn string
show = function(value, depth)
  depth = depth or 0
  if type(value) == "string" then return quote(value) end
  if type(value) == "table" and not has_text(value) then return show_table(value, depth) end
  local text = plain.tostring(value)
  -- Within a table a large tensor is its type alone.
  if depth > 0 and text:find("\n", 1, true) and type(value) == "userdata" then
    text = text:match "^%a+%(" .. "..." .. text:match ", shape = .*$"
  end
  return text
end

return show
