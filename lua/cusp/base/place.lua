--- Places in configurations, for error messages: "layers[3] (Dense 'dense_1'), config.units: ...".
-- @module cusp.base.place
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local place = {}

--- An error's text without the position that Lua put in front. Lua's own messages about internal
-- variables do not help the user; the place in the configuration does.
function place.text(message)
  local text = tostring(message):gsub("^[^\n:]+:%d+: ", "")
  local before = text:match "^(.-)attempt to %l+ " or text:match "^(.-)bad argument #"
  if before then return before .. "the values here do not fit together" end
  return text
end

--- The name of a layer's form in messages: "Dense 'dense_1'".
function place.describe(data)
  if type(data) ~= "table" then return errors.describe(data) end
  local config = type(data.config) == "table" and data.config or {}
  local name = type(data.name) == "string" and data.name or config.name
  local class = type(data.class_name) == "string" and data.class_name or "no class_name"
  return type(name) == "string" and ("%s '%s'"):format(class:sub(1, 60), name:sub(1, 60))
    or class:sub(1, 60)
end

--- Arguments of a class appear as keys of its configuration in a file.
local function as_keys(text, data)
  local class = type(data) == "table" and type(data.class_name) == "string"
    and data.class_name:match "[%w_]+$"
  if not class or text:sub(1, #class + 2) ~= class .. ": " then return text end
  local rest = text:sub(#class + 3)
  local key, message = rest:match "^argument '([%w_]+)'[: ]*(.*)$"
  if key then return ("config.%s: %s"):format(key, message) end
  return (rest:gsub("^unknown argument '([^']*)'", "config has the unknown key '%1'"))
end

--- Calls `f(...)`; prefixes an error with the place.
-- @tparam string where "layers[3]"
-- @param data the form at that place
-- @tparam function f
function place.within(where, data, f, ...)
  local results = table.pack(engine.attempt(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local text = as_keys(place.text(results[2]), data)
  local separator = (text:find "^layers%[" or text:find "^config%.") and ", " or ": "
  error(("%s (%s)%s%s"):format(where, place.describe(data), separator, text), 0)
end

return place
