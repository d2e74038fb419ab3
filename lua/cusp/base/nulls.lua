--- Values that mean null: `cusp.null`, and the nulls of other JSON and YAML modules for Lua.
-- lua-cjson and others use a null lightuserdata, dkjson a table with a `__tojson`, lyaml a table
-- with a `_type`.
-- @module cusp.base.nulls
local engine = require "cusp.engine"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"

local nulls = {}

local function is_foreign_table(value)
  local meta = getmetatable(value)
  if type(meta) ~= "table" or next(value) ~= nil then return false end
  if rawget(meta, "_type") == "LYAML null" then return true end
  local encode = rawget(meta, "__tojson")
  local ok, text = false, nil
  if type(encode) == "function" then ok, text = engine.attempt(encode, value) end
  return ok and text == "null"
end

--- Whether a value is null to another module.
function nulls.is_foreign(value)
  local kind = type(value)
  if kind == "userdata" then return value == engine.null_pointer end
  return kind == "table" and value ~= null and is_foreign_table(value)
end

--- Whether a value means null.
function nulls.is(value) return value == null or nulls.is_foreign(value) end

local function find(value, seen)
  if nulls.is_foreign(value) then return true end
  if not lists.is_container(value) or seen[value] then return false end
  seen[value] = true
  for _, item in next, value do
    local kind = type(item)
    if (kind == "table" or kind == "userdata") and find(item, seen) then return true end
  end
  return false
end

local function copy(value, copies)
  if nulls.is_foreign(value) then return null end
  if not lists.is_container(value) then return value end
  if copies[value] then return copies[value] end
  local result = {}
  copies[value] = result
  for key, item in next, value do result[key] = copy(item, copies) end
  return setmetatable(result, getmetatable(value))
end

--- A configuration with `cusp.null` in the place of other modules' nulls; itself if it has none.
-- @param value
function nulls.ours(value)
  if not find(value, {}) then return value end
  return copy(value, {})
end

return nulls
