--- Decides which tables are lists of values, and checks lists for holes. Plain tables hold other
-- values, and so do tables marked for JSON. A list of a class outside the library (Penlight's List,
-- or any table with a metatable and items) is treated like a plain list.
-- @module cusp.base.lists
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local lists = {}

--- Whether this metatable belongs to a library object or a callable.
local function is_object(meta)
  local name = rawget(meta, "__name")
  return rawget(meta, "__getters") ~= nil or rawget(meta, "__symbolic") ~= nil
    or rawget(meta, "__call") ~= nil or type(name) == "string" and name:find("^cusp%.") ~= nil
end

--- Whether a value is a list of a class outside the library.
function lists.is_foreign(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__jsontype") == nil and rawlen(value) > 0
    and not is_object(meta)
end

--- Whether a value is a table that holds other values: a plain one, one marked for JSON, or a list
-- of a user's class.
function lists.is_container(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  if type(meta) ~= "table" then return meta == nil end
  return rawget(meta, "__jsontype") ~= nil or rawlen(value) > 0 and not is_object(meta)
end

--- The position of the first hole in a list, or nil. For a long list, only the part after its end
-- is searched.
function lists.hole(list)
  local n = rawlen(list)
  if n > 64 and rawget(list, n) ~= nil then
    return math.type(next(list, n)) == "integer" and n + 1 or nil
  end
  local most, count = 0, 0
  for key in next, list do
    if math.type(key) == "integer" and key > 0 then
      count = count + 1
      if key > most then most = key end
    end
  end
  if count == most then return nil end
  for i = 1, most do
    if rawget(list, i) == nil then return i end
  end
end

--- Raises for a list with a hole.
-- @tparam string what describes the list in the message
-- @param value anything; values that are not lists pass
function lists.check(what, value)
  if not lists.is_container(value) then return end
  local hole = lists.hole(value)
  if hole then
    errors.raise("%s: the list has nil at position %d and items after it; remove it, or"
      .. " write false for an empty place", what, hole)
  end
end

local function has_objects(list)
  for _, item in next, list do
    if type(item) ~= "number" and type(item) ~= "boolean" then return true end
  end
  return false
end

-- Whether a table is taken for numbers, which are too many to look at and may have holes.
local function is_long(list) return rawlen(list) > 64 and type(list[1]) == "number" end

-- The place within a container of a list with a hole, such as "[2][1]", and that list.
local function find_hole(container, depth)
  local long = is_long(container)
  if not long and lists.hole(container) and has_objects(container) then return "", container end
  if long or depth == 0 then return nil end
  for key, item in next, container do
    if type(item) == "table" and lists.is_container(item) then
      local path, list = find_hole(item, depth - 1)
      if path then return ("[%s]%s"):format(key, path), list end
    end
  end
end

--- Raises for a list with a hole, or for such a list nested in a value. Tables of only numbers may
-- have holes.
function lists.check_nested(what, value)
  if not lists.is_container(value) then return end
  if is_long(value) or engine.is_whole(value) then return end
  local path, list = find_hole(value, 6)
  if path then lists.check(what .. path, list) end
end

--- Converts a list of a user's class to a plain one; returns other values unchanged.
function lists.plain(value)
  if not lists.is_foreign(value) then return value end
  return table.move(value, 1, rawlen(value), 1, {})
end

local order = {number = 1, string = 2}

--- Whether a key comes before another: numbers, then names, then others.
function lists.before(a, b)
  local kind, other = order[type(a)] or 3, order[type(b)] or 3
  if kind ~= other then return kind < other end
  if kind == 3 then return plain.tostring(a) < plain.tostring(b) end
  return a < b
end

--- The keys of a table, sorted (see `before`).
-- @tparam table map
-- @tparam[opt] function wanted of a key: whether it is taken
-- @treturn table
function lists.keys(map, wanted)
  local keys = {}
  for key in pairs(map) do
    if not wanted or wanted(key) then keys[#keys + 1] = key end
  end
  plain.sort(keys, lists.before)
  return keys
end

--- Names as a set.
-- @tparam string text with blanks between them
-- @tparam[opt] table base a set whose names are added
-- @treturn table
function lists.names(text, base)
  local set = {}
  for name in next, base or {} do set[name] = true end
  for name in text:gmatch "%S+" do set[name] = true end
  return set
end

--- What a function makes of each item of a list.
-- @tparam table list
-- @tparam function f
-- @treturn table
function lists.map(list, f)
  local values = {}
  for i, item in ipairs(list) do values[i] = f(item) end
  return values
end

--- What each of some objects has in a field.
-- @tparam {table,...} objects
-- @tparam string field
-- @treturn table
function lists.pick(objects, field)
  local values = {}
  for i, object in ipairs(objects) do values[i] = object[field] end
  return values
end

--- What each of some objects has in a field that is a list, in one list.
-- @tparam {table,...} objects
-- @tparam string field
-- @treturn table
function lists.gather(objects, field)
  local all = {}
  for _, object in ipairs(objects) do
    local items = object[field]
    table.move(items, 1, #items, #all + 1, all)
  end
  return all
end

return lists
