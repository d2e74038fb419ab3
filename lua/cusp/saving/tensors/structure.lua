--- Converts nested Lua values to a JSON skeleton plus tensors, and back. `.npz` and `.h5` files
-- hold named arrays; the skeleton, a JSON text, holds the rest of a table:
--
-- - numbers (integers and floats distinguished), strings, booleans and null are themselves; lists
-- are arrays, tables with names objects;
-- - `{"$tensor": "layers/1/kernel"}` is the array of that name;
-- - `{"$none": true}` is `cusp.None`;
-- - `{"$bytes": "..."}` is a string that is not UTF-8, each character one byte;
-- - `{"$map": [[key, value], ...]}` is a table with keys that are not names, or names that begin
-- with `$`.
-- @module cusp.saving.tensors.structure
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local None = require("cusp.base.shape").None

local structure = {}

-- Depth of tables; JSON nests three levels for a "$map".
structure.max_depth = 100

local function is_array(value) return engine.is_tensor(value) or engine.is_variable(value) end

--- Whether a table is plain: without a metatable, or marked as a JSON object.
function structure.is_plain(value)
  return type(value) == "table" and (getmetatable(value) == nil or ordered.is_object(value))
end

--- "list", "names", "empty" or "map", by the keys of a table.
local function kind_of(value)
  local length, count, names = #value, 0, true
  for key in next, value do
    count = count + 1
    if type(key) ~= "string" or key:find "^%$" or not utf8.len(key) then names = false end
  end
  if count == 0 then return ordered.is_object(value) and "names" or "empty" end
  if names then return "names" end
  if count ~= length then return "map" end
  for key in next, value do
    if math.type(key) ~= "integer" or key < 1 or key > length then return "map" end
  end
  return "list"
end

--- Whether a value is a table of named tensors, which archives hold without a skeleton.
-- @tparam table value
-- @tparam integer depth how deep such tables may nest
-- @treturn boolean
function structure.is_arrays(value, depth)
  if depth == 0 or not structure.is_plain(value) or next(value) == nil then return false end
  for key, item in next, value do
    if type(key) ~= "string" or key:find "[/%c]" or key:find "^[.$]" or key == ""
      or not utf8.len(key) then
      return false
    end
    if not is_array(item) and not structure.is_arrays(item, depth - 1) then return false end
  end
  return true
end

---------------------------------------------------------------- taking apart

local function place(state, key)
  if key == nil then return state.where == "" and "the value" or "the value at " .. state.where end
  return "the key at " .. (state.where == "" and "the top" or state.where)
end

--- A unique name for an array that is also valid in HDF5.
local function array_name(state)
  local parts = {}
  for i, part in ipairs(state.path) do
    part = tostring(part):gsub("[/%c]", "_"):gsub("^%.", "_")
    parts[i] = (part == "" or not utf8.len(part)) and "_" or part
  end
  local name = #parts > 0 and table.concat(parts, "/") or "value"
  local unique, n = name, 1
  while state.taken[unique] do
    n = n + 1
    unique = ("%s_%d"):format(name, n)
  end
  -- Avoids using a name twice, or an array's name as another's folder.
  state.taken[unique] = true
  for folder in unique:gmatch "()/" do state.taken[unique:sub(1, folder - 1)] = true end
  return unique
end

local function take_array(state, value)
  if value.dtype == "string" then
    errors.raise("cusp.save: %s: %s is %s; save the lists of strings that t:tolist() gives",
      state.file, place(state), errors.describe(value))
  end
  local name = state.names[value]
  if not name then
    name = array_name(state)
    state.names[value] = name
    state.arrays[#state.arrays + 1] = {name = name,
      tensor = engine.is_variable(value) and value.value or value}
  end
  return {["$tensor"] = name}
end

local function refuse(state, value)
  local Object = require "cusp.base.class"
  local what, hint = errors.describe(value),
    "tensors, numbers, strings, booleans, cusp.null and tables of them can be saved"
  if type(value) == "table" and Object.is_instance(value, Object) then
    hint = "model:save(path) saves models, model:save_weights(path) weights; of other objects, "
      .. "save get_config() or their tensors"
  end
  errors.raise("cusp.save: %s: %s is %s; %s", state.file, place(state), what, hint)
end

local take

local function below(state, key, value)
  local where = state.where
  state.where = where .. (type(key) == "string" and (where == "" and "" or ".") .. key
    or ("[%s]"):format(tostring(key)))
  state.path[#state.path + 1] = key
  local result = take(state, value)
  state.path[#state.path] = nil
  state.where = where
  return result
end

local key_types = lists.names "boolean number string"

local function sorted_keys(state, value)
  for key in next, value do
    if not key_types[type(key)] then
      errors.raise("cusp.save: %s: %s is %s", state.file, place(state, key), errors.describe(key))
    end
  end
  return lists.keys(value)
end

local function take_map(state, value)
  local pairs_of = {}
  for i, key in ipairs(sorted_keys(state, value)) do
    pairs_of[i] = {below(state, "", key), below(state, key, value[key])}
  end
  return {["$map"] = pairs_of}
end

local function take_table(state, value)
  if state.open[value] then
    errors.raise("cusp.save: %s: %s contains itself", state.file, place(state))
  end
  if #state.path >= structure.max_depth then
    errors.raise("cusp.save: %s: tables nested deeper than %d levels at %s", state.file,
      structure.max_depth, state.where:sub(1, 60))
  end
  state.open[value] = true
  local kind, result = kind_of(value), {}
  if kind == "map" then
    result = take_map(state, value)
  elseif kind == "list" then
    for i, item in ipairs(value) do result[i] = below(state, i, item) end
  elseif kind == "names" then
    ordered.object(result)
    for _, key in ipairs(ordered.keys(value)) do
      ordered.set(result, key, below(state, key, value[key]))
    end
  end
  state.open[value] = nil
  return result
end

local function take_string(value)
  if utf8.len(value) then return value end
  return {["$bytes"] = value:gsub("[\x80-\xFF]", function(byte) return utf8.char(byte:byte()) end)}
end

function take(state, value)
  local kind = type(value)
  if kind == "string" then return take_string(value) end
  if kind == "number" or kind == "boolean" or value == null then return value end
  if value == None then return {["$none"] = true} end
  if is_array(value) then return take_array(state, value) end
  if structure.is_plain(value) then return take_table(state, value) end
  refuse(state, value)
end

--- Takes a value apart.
-- @param value
-- @tparam string file the path that it is saved to, for messages
-- @tparam[opt] {[string]=true,...} reserved names that arrays must not have
-- @treturn table the skeleton, for cusp.json.encode
-- @treturn {{name=string,tensor=tensor},...} the arrays
-- @raise for what cannot be saved, naming its place: functions, objects, tables that contain
-- themselves
function structure.take(value, file, reserved)
  local state = {file = file, where = "", path = {}, open = {}, names = {}, arrays = {}, taken = {}}
  for name in pairs(reserved or {}) do state.taken[name] = true end
  return take(state, value), state.arrays
end

---------------------------------------------------------------- putting together

local put

local function put_map(list, fetch, bad)
  local result = {}
  for _, pair in ipairs(type(list) == "table" and list or bad "$map") do
    if type(pair) ~= "table" or pair[1] == nil or pair[2] == nil then bad "$map" end
    local key = put(pair[1], fetch, bad)
    if not key_types[type(key)] or key ~= key then bad "$map" end
    result[key] = put(pair[2], fetch, bad)
  end
  return result
end

local function put_bytes(text, bad)
  if type(text) ~= "string" then bad "$bytes" end
  return (text:gsub(utf8.charpattern, function(character)
    local code = utf8.codepoint(character)
    return code < 256 and string.char(code) or bad "$bytes"
  end))
end

local tags = {
  ["$tensor"] = function(name, fetch, bad)
    return type(name) == "string" and fetch(name) or bad "$tensor"
  end,
  ["$none"] = function() return None end,
  ["$bytes"] = function(text, _, bad) return put_bytes(text, bad) end,
  ["$map"] = put_map,
}

local function put_object(skeleton, fetch, bad)
  local key, item = next(skeleton)
  if tags[key] and next(skeleton, key) == nil then return tags[key](item, fetch, bad) end
  if key == nil then return skeleton end
  local result = {}
  for name, value in next, skeleton do result[name] = put(value, fetch, bad) end
  return result
end

function put(skeleton, fetch, bad)
  if type(skeleton) ~= "table" or skeleton == null then return skeleton end
  if ordered.is_object(skeleton) then return put_object(skeleton, fetch, bad) end
  local list = {}
  for i, item in ipairs(skeleton) do list[i] = put(item, fetch, bad) end
  return list
end

--- Rebuilds the value of a skeleton.
-- @tparam table skeleton as returned by cusp.json.decode
-- @tparam function fetch name → tensor, or nil if there is none
-- @tparam string file for messages
-- @raise for a skeleton that was not made by `take`
function structure.put(skeleton, fetch, file)
  return put(skeleton, fetch, function(tag)
    errors.raise("cusp.load: %s: its structure has a wrong '%s'", file, tag)
  end)
end

return structure
