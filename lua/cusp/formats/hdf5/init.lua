--- Reads and writes HDF5 files like h5py. libhdf5 examines a file in a separate process, which a
-- damaged file may crash without harm. The numbers are then read directly from the positions it
-- found. New files are written atomically.
-- @module cusp.formats.hdf5
-- @usage
-- cusp.hdf5.save("weights.h5", {dense = {kernel = cusp.ones{3, 2}, bias = cusp.zeros{2}}})
-- local file = cusp.hdf5.open "weights.h5"
-- print(file)
-- local kernel = file:get("dense/kernel"):read()
-- file:close()
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"

local hdf5 = {}

local function check_path(what, path)
  if type(path) ~= "string" then
    errors.raise("%s: expected a path, got %s", what, errors.describe(path))
  end
end

--- Opens a file for reading.
-- @tparam string path
-- @tparam[opt] table options `timeout`: give up examining the file after this many seconds (60)
-- @treturn cusp.hdf5.File may be a to-be-closed variable; `print` shows the tree
-- @raise naming the file if it is missing, is not HDF5, or its tree cannot be read. Other damage is
-- reported when you read the damaged object
function hdf5.open(path, options)
  check_path("hdf5.open", path)
  if options ~= nil and type(options) ~= "table" then
    errors.raise("hdf5.open: the options should be a table, got %s", errors.describe(options))
  end
  for key in pairs(options or {}) do
    if key ~= "timeout" then
      errors.raise("hdf5.open: unknown option '%s'%s", tostring(key),
        errors.suggestion(key, {"timeout"}))
    end
  end
  local timeout = options and options.timeout
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout or timeout <= 0) then
    errors.raise("hdf5.open: timeout expects seconds above 0, got %s", errors.describe(timeout))
  end
  return require("cusp.formats.hdf5.reader").open(path, timeout)
end

--- Creates a file. `file:close()` puts it in place; until then, and after `file:abort()`, the old
-- file remains.
-- @tparam string path
-- @treturn cusp.hdf5.NewFile
-- @raise if the folder is missing or not writable
function hdf5.create(path)
  check_path("hdf5.create", path)
  return require("cusp.formats.hdf5.writer").create(path)
end

-- Whether a table is a list of values rather than a group of named ones.
local function is_group(value)
  return type(value) == "table" and getmetatable(value) == nil and #value == 0
end

local function sorted_keys(where, members)
  for key in pairs(members) do
    if type(key) ~= "string" then
      errors.raise("hdf5.save: %s: names are strings, got %s", where, errors.describe(key))
    end
  end
  return lists.keys(members)
end

local function save_members(group, members, path, above)
  if above[members] then errors.raise("hdf5.save: %s: a table contains itself", path) end
  above[members] = true
  for _, key in ipairs(sorted_keys(path, members)) do
    local value = members[key]
    if is_group(value) then
      save_members(group:create_group(key), value, path .. "/" .. key, above)
    else
      group:create_dataset(key, value)
    end
  end
  above[members] = nil
end

--- Saves tensors by name.
-- @tparam string path
-- @tparam table members names → tensors, variables, numbers, lists of numbers, strings, or nested
-- tables, which become groups
-- @raise if a value cannot be written; the old file is then unchanged
-- @usage cusp.hdf5.save("data.h5", {x = cusp.ones{2, 3}, labels = {train = cusp.zeros{2}}})
function hdf5.save(path, members)
  check_path("hdf5.save", path)
  if not is_group(members) then
    errors.raise("hdf5.save: %s: expected a table of named tensors, got %s", path,
      errors.describe(members))
  end
  local file <close> = hdf5.create(path)
  save_members(file.root, members, path, {})
  file:close()
end

local load_object

-- `loaded` maps descriptions to results, or to false while being read. A group with many links is
-- read once, since a small file can have more paths than anyone can walk.
local function load_members(group, loaded)
  local members = {}
  for _, name in ipairs(group:names()) do
    local object = group:get(name)
    if object then members[name] = load_object(object, loaded) end
  end
  return members
end

function load_object(object, loaded)
  local key = object._description
  if loaded[key] == false then
    errors.raise("hdf5.load: %s: a group contains itself; use hdf5.open",
      object._file:_where(object.name))
  end
  if loaded[key] == nil then
    loaded[key] = false
    loaded[key] = object.kind == "dataset" and object:read() or load_members(object, loaded)
  end
  return loaded[key]
end

--- Reads everything in a file.
-- @tparam string path
-- @treturn table names → tensors (strings for string datasets), or nested tables; an object with
-- several links is loaded once
-- @raise as `open` and `Dataset:read`
-- @usage local data = cusp.hdf5.load "data.h5"; print(data.labels.train)
function hdf5.load(path)
  local file <close> = hdf5.open(path)
  return load_object(file.root, {})
end


return hdf5
