--- Tables that remember their kind of JSON value and the order of their keys. A table marked as an
-- object reads and changes like an ordinary table; keys added later follow the remembered ones in
-- alphabetical order. An unmarked table is a list if it has no string keys: this distinguishes `{}`
-- from `[]`.
-- @module cusp.base.ordered
local plain = require "cusp.base.plain"
local ordered = {}

--- Marks a table as an object.
-- @tparam[opt] table object the table; a new one by default
-- @tparam[opt] {string,...} keys the order of its keys; kept, not copied
-- @treturn table the object
function ordered.object(object, keys)
  return setmetatable(object or {}, {__jsontype = "object", __jsonorder = keys or {}})
end

--- Whether a table is marked as an object.
function ordered.is_object(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__jsontype == "object"
end

--- Sets a field of an object; a new key goes last.
function ordered.set(object, key, value)
  local meta = getmetatable(object)
  if object[key] == nil and type(meta) == "table" and meta.__jsonorder then
    if meta.shared then -- decoded objects with the same keys share one order
      meta = {__jsontype = "object",
        __jsonorder = table.move(meta.__jsonorder, 1, #meta.__jsonorder, 1, {})}
      setmetatable(object, meta)
    end
    table.insert(meta.__jsonorder, key)
  end
  object[key] = value
end

--- A table's string keys: the remembered ones first, then the others sorted.
-- @treturn {string,...}
function ordered.keys(object)
  local meta = getmetatable(object)
  local keys, seen = {}, {}
  for _, key in ipairs(type(meta) == "table" and meta.__jsonorder or {}) do
    if object[key] ~= nil and not seen[key] then
      keys[#keys + 1], seen[key] = key, true
    end
  end
  local first_new = #keys + 1
  for key in pairs(object) do
    if type(key) == "string" and not seen[key] then keys[#keys + 1] = key end
  end
  if first_new < #keys then
    local rest = table.move(keys, first_new, #keys, 1, {})
    plain.sort(rest)
    table.move(rest, 1, #rest, first_new, keys)
  end
  return keys
end

--- A copy of a table and of all plain tables below it, marks included.
function ordered.copy(value)
  local meta = getmetatable(value)
  if type(value) ~= "table" or meta ~= nil and not (type(meta) == "table" and meta.__jsontype) then
    return value
  end
  local result = {}
  for key, item in pairs(value) do result[key] = ordered.copy(item) end
  if meta then
    return ordered.object(result, ordered.keys(value))
  end
  return result
end

return ordered
