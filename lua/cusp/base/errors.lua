--- Errors at the user's line. Every message says what was wrong, what was expected and what it got.
-- Its position is that of the first caller outside this library, so that a mistake found three
-- calls deep in Cusp points at the user's script.
-- @module cusp.base.errors
local plain = require "cusp.base.plain"
local python = require "cusp.base.python_words"
local rooms = require "cusp.base.rooms"
local errors = {}

-- All files of the library are below the directory of this one.
local library = debug.getinfo(1, "S").source:match "^(.*)base/errors%.lua$" or "@cusp/"

--- Whether a source, as returned by debug.getinfo, is a file of this library.
-- @tparam string source
-- @treturn boolean
function errors.is_library(source)
  return source:sub(1, #library) == library
end

--- Whether a message is Lua's own error about a line of this library, rather than one of ours.
-- @tparam string message
-- @treturn boolean
function errors.is_raw(message)
  local file, text = message:match "^([^\n]-%.lua):%d+: (.*)$"
  if not file or not text:find "^attempt to" and not text:find "^bad argument"
    and not text:find "^bad 'for'" then
    return false
  end
  -- Lua shortens long paths to "..." at the beginning
  local cut, folder = file:match "^(%.?%.?%.?)(.*cusp/)"
  if not folder then return false end
  return cut == "..." and library:sub(-#folder) == folder or library:sub(2) == folder
end

--- The level for `error` (seen from the caller of this function) of the nearest frame that is
-- neither C nor this library.
-- @treturn integer 0, meaning no position, where there is no such frame
function errors.level()
  local level = 2
  while true do
    local info = debug.getinfo(level, "S")
    if not info then return 0 end
    if info.what ~= "C" and not errors.is_library(info.source) then return level - 1 end
    level = level + 1
  end
end

--- Raises an error at the user's line.
-- @tparam string message a format for string.format when more arguments follow
-- @param ... arguments of the format
-- @raise always
function errors.raise(message, ...)
  if select("#", ...) > 0 then message = plain.format(message, ...) end
  local level = errors.level()
  error(message, level == 0 and 0 or level)
end

local most_items = 1 << 26

--- Raises if a list made item by item would be so long that making it takes more than a moment.
-- @tparam string name of the function
-- @tparam string what the argument that determines the length
-- @tparam number count
function errors.check_items(name, what, count)
  if type(count) ~= "number" then
    errors.raise("%s: %s should be a number, got %s", name, what, errors.describe(count))
  end
  if count > most_items then
    errors.raise("%s: %s should be at most %d, got %s", name, what, most_items,
      errors.describe(count))
  end
end

--- Raises unless `condition` is true.
function errors.check(condition, message, ...)
  if not condition then errors.raise(message, ...) end
  return condition
end

--- The known name closest to `name`, or nil if none is close enough.
-- @tparam string name
-- @tparam table names a list of names, or a table whose keys are names
-- @tparam[opt] integer limit how many letters may differ
-- @treturn ?string
function errors.nearest(name, names, limit)
  local edit_distance = require("cusp.engine").edit_distance
  -- A name of which every letter differs is another name.
  local best, least = nil, math.min(limit or math.max(2, #name // 3), #name - 1) + 1
  for key, value in pairs(names) do
    local candidate = type(key) == "string" and key or value
    if type(candidate) == "string" and candidate ~= name then
      local distance = edit_distance(plain.lower(name), plain.lower(candidate))
        + (name:byte() == candidate:byte() and 0 or 0.5)
      if distance < least or distance == least and best and candidate < best then
        best, least = candidate, distance
      end
    end
  end
  return best
end

local function add_names(names, t)
  for key in next, t or {} do
    if type(key) == "string" and key:sub(1, 1) ~= "_" then names[key] = true end
  end
end

-- The methods of tensors, models and datasets.
local function method_names(cusp)
  local names = {}
  add_names(names, require("cusp.engine").tensor_methods)
  local class = cusp.Sequential
  while type(class) == "table" do
    add_names(names, class)
    class = rawget(class, "__super")
  end
  add_names(names, cusp.data.Dataset)
  return names
end

-- Names that programs write after the dot of a namespace.
local function member_names(cusp)
  local names = {}
  add_names(names, getmetatable(cusp).__members)
  add_names(names, cusp.data.Dataset)
  for _, space in ipairs{"ops", "layers", "losses", "metrics", "optimizers", "initializers",
    "callbacks", "utils", "data", "models"} do
    local members = getmetatable(cusp[space]).__members
    add_names(names, members)
    add_names(names, getmetatable(members) and getmetatable(members).__index)
  end
  return names
end

-- Lua's own message about a global that is nil, with what it stands for elsewhere.
local function with_global(message)
  local name = message:match "attempt to index a nil value %(global '([%w_]+)'%)$"
  local ours = name and require("cusp.base.foreign_names").globals[name]
  return ours and ("%s; what others call %s is in %s"):format(message, name, ours) or message
end

-- What follows Lua's message about a name that was just read in vain, or nil.
local advice = function() end

--- Sets the function that knows which name of the library was just read in vain.
-- @tparam function f from the name to what follows Lua's message, or nil
function errors.set_advice(f) advice = f end

--- Adds the closest library name to Lua's own message about a field or method that is nil.
-- @tparam string message
-- @treturn string
function errors.with_nearest_name(message)
  local indexed = message:match "attempt to index a nil value %(field '([%w_]+)'%)$"
  if indexed then return message .. (advice(indexed) or "") end
  local kind, name = message:match "attempt to call a nil value %((%a+) '([%w_]+)'%)$"
  if kind ~= "field" and kind ~= "method" then
    return with_global(message) .. python.hint(message)
  end
  local names = (kind == "method" and method_names or member_names)(rooms.get "library")
  local near = not names[name] and errors.nearest(name, names, #name < 8 and 1 or 2)
  return near and ("%s; did you mean '%s'?"):format(message, near) or message
end

-- The known argument that other libraries call so.
local function other_word(name, names)
  for ours in (require("cusp.base.foreign_names").arguments[name] or ""):gmatch "[%w_]+" do
    if names[ours] then return ours end
  end
end

-- The shortest known name that goes on where this one ends: "glorot_normal" after "glorot".
local function longer(name, names)
  local best
  for key, value in pairs(names) do
    local candidate = type(key) == "string" and key or value
    if #name > 2 and type(candidate) == "string"
      and plain.lower(candidate):sub(1, #name) == plain.lower(name)
      and (not best or #candidate < #best or #candidate == #best and candidate < best) then
      best = candidate
    end
  end
  return best
end

--- " (did you mean 'units'?)", or "" if no known name is close.
function errors.suggestion(name, names)
  local near = type(name) == "string"
    and (other_word(name, names) or errors.nearest(name, names) or longer(name, names))
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

local function describe_list(list)
  local parts = {}
  for i = 1, math.min(#list, 6) do
    local item = list[i]
    local nested = type(item) == "table" and not getmetatable(item)
    if nested then parts[i] = "{...}"
    elseif type(item) == "string"
      or type(item) == "userdata" then parts[i] = errors.describe(item):gsub("^string ", "")
    else parts[i] = plain.tostring(item) end
  end
  if #list > 6 then parts[7] = "..." end
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- Describes a value for the "got" part of a message: `string "a"`, `number 3.5`, `table {1, 2}`,
-- `tensor [2, 3] float32`.
-- @treturn string
function errors.describe(value)
  local kind = type(value)
  if kind == "nil" then return "nil" end
  if kind == "string" then
    return #value <= 60 and ("string %q"):format(value) or ("string %q..."):format(value:sub(1, 57))
  end
  if kind == "number" or kind == "boolean" then return kind .. " " .. plain.tostring(value) end
  if kind == "function" then return "a function" end
  if kind == "userdata" then
    local ok, shape, dtype = require("cusp.engine").attempt(function()
      return value.shape, value.dtype
    end)
    if ok and type(shape) == "table" then
      return ("tensor %s %s"):format(errors.shape(shape), dtype)
    end
    return kind
  end
  local space = kind == "table" and require("cusp.base.absent").path_of(value)
  if space then return space .. " (its functions are called with a dot, not a colon)" end
  if kind == "table" and require("cusp.base.lists").is_container(value) then
    if #value > 0 then return "table " .. describe_list(value) end
    return next(value) == nil and "an empty table" or "a table with keys"
  end
  return plain.tostring(value)
end

--- "[2, None, 3]"
-- @tparam table shape
-- @treturn string
function errors.shape(shape)
  local parts = {}
  for i = 1, #shape do
    local item = shape[i]
    local nested = type(item) == "table" and (getmetatable(item) == nil or rawlen(item) > 0)
    parts[i] = nested and errors.shape(shape[i]) or plain.tostring(shape[i])
  end
  return "[" .. table.concat(parts, ", ") .. "]"
end

return errors
