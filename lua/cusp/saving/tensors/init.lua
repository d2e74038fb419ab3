--- `cusp.save` and `cusp.load`: tensors, and tables of tensors and plain values, in the format
-- given by the file's name. `.npy` holds one tensor. `.npz`, `.safetensors` and `.h5` hold tables
-- of any nesting, with numbers, strings and booleans among the tensors. A table of named tensors
-- becomes arrays that other programs find under these names (nested tables are groups in `.h5`).
-- Anything else adds `cusp.json`, a member of the archive, metadata or a string dataset, which
-- describes how the arrays form the value (see `cusp.saving.tensors.structure`). `.json`, `.yaml`
-- and `.yml` hold plain tables. Loading returns what was saved: lists stay lists, integers stay
-- integers, empty tables stay empty. In JSON and YAML, `cusp.None` becomes null. A table that
-- occurs twice is loaded as two; the key order of marked tables is lost.
-- @module cusp.saving.tensors
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.saving.tensors.structure"
local plain = require "cusp.base.plain"
local whole_file = require "cusp.base.whole_file"

local persistence = {}

local skeleton_name = "cusp.json"
local reserved = {[skeleton_name] = true}

local function read_text(path)
  local reader <close> = engine.files.open(path)
  return reader:read(0, reader.size)
end

---------------------------------------------------------------- .npy, .npz

local function save_npy(path, value)
  if not engine.is_tensor(value) and not engine.is_variable(value) then
    errors.raise("cusp.save: %s: a .npy file holds one tensor, got %s; .npz and .h5 hold tables",
      path, errors.describe(value))
  end
  require("cusp.formats.numpy").save(path, value)
end

local function load_numpy(path) return require("cusp.formats.numpy").load(path) end

local function save_npz(path, value)
  local numpy, json = require "cusp.formats.numpy", require "cusp.formats.json"
  local skeleton, arrays = structure.take(value, path)
  local writer <close> = require("cusp.formats.zip").create(path)
  for _, array in ipairs(arrays) do numpy.add(writer, array.name, array.tensor) end
  if not structure.is_arrays(value, 1) then writer:add(skeleton_name, json.encode(skeleton)) end
  writer:close()
end

local function decode_skeleton(path, text)
  local ok, skeleton = engine.attempt(require("cusp.formats.json").decode, text)
  if not ok then errors.raise("cusp.load: %s: %s: %s", path, skeleton_name, skeleton) end
  return skeleton
end

local function load_npz(path)
  local archive <close> = require("cusp.formats.zip").open(path)
  local arrays = require("cusp.formats.numpy").arrays_of(archive)
  if not archive:has(skeleton_name) then return arrays end
  local skeleton = decode_skeleton(path, archive:read(skeleton_name))
  return structure.put(skeleton, function(name) return arrays[name] end, path)
end

---------------------------------------------------------------- .h5

local function save_arrays_by_name(group, value)
  for _, key in ipairs(require("cusp.base.ordered").keys(value)) do
    local item = value[key]
    if type(item) == "table" then
      save_arrays_by_name(group:create_group(key), item)
    else
      group:create_dataset(key, item)
    end
  end
end

--- The group for a dataset's name, created if necessary, and the name in it.
local function group_for(root, groups, name)
  local folder, last = name:match "^(.*)/([^/]+)$"
  if not folder then return root, name end
  if not groups[folder] then
    local parent, own = group_for(root, groups, folder)
    groups[folder] = parent:create_group(own)
  end
  return groups[folder], last
end

local function save_hdf5(path, value)
  local skeleton, arrays = structure.take(value, path, reserved)
  local file = require("cusp.formats.hdf5").create(path)
  local ok, problem = pcall(function()
    if structure.is_arrays(value, structure.max_depth) then
      return save_arrays_by_name(file.root, value)
    end
    local groups = {}
    for _, array in ipairs(arrays) do
      local group, name = group_for(file.root, groups, array.name)
      group:create_dataset(name, array.tensor)
    end
    file.root:create_dataset(skeleton_name, require("cusp.formats.json").encode(skeleton))
  end)
  if not ok then
    file:abort()
    error(problem, 0)
  end
  file:close()
end

local function load_hdf5(path)
  local hdf5 = require "cusp.formats.hdf5"
  local file = hdf5.open(path)
  local ok, result = pcall(function()
    local text = file:get(skeleton_name)
    text = text and text.kind == "dataset" and text:read()
    if type(text) ~= "string" then return hdf5.load(path) end
    return structure.put(decode_skeleton(path, text), function(name)
      local found = file:get(name)
      return found and found.kind == "dataset" and found:read() or nil
    end, path)
  end)
  file:close()
  if not ok then error(result, 0) end
  return result
end

---------------------------------------------------------------- .safetensors

-- Whether a value is tensors by names that the format takes as they are.
local function is_flat(value)
  if not structure.is_plain(value) or next(value) == nil then return false end
  for key, item in next, value do
    if type(key) ~= "string" or key == "__metadata__" or not utf8.len(key)
      or not engine.is_tensor(item) and not engine.is_variable(item) then
      return false
    end
  end
  return true
end

local function save_safetensors(path, value)
  local safetensors = require "cusp.formats.safetensors"
  if is_flat(value) then return safetensors.save(path, value) end
  local skeleton, arrays = structure.take(value, path, {__metadata__ = true})
  local tensors, text = {}, require("cusp.formats.json").encode(skeleton)
  for _, array in ipairs(arrays) do tensors[array.name] = array.tensor end
  safetensors.save(path, tensors, {[skeleton_name] = text})
end

local function load_safetensors(path)
  local tensors, metadata = require("cusp.formats.safetensors").load(path)
  local text = metadata[skeleton_name]
  if not text then return tensors end
  return structure.put(decode_skeleton(path, text), function(name) return tensors[name] end, path)
end

---------------------------------------------------------------- .json, .yaml

--- Refuses values that text formats cannot hold, naming their place; the encoders refuse functions
-- and the like.
local function check_plain(path, value, where)
  if engine.is_tensor(value) or engine.is_variable(value) then
    local place = where == "" and "the value" or "the value at " .. where
    local hint = value.dtype == "string" and "save the lists of strings that t:tolist() gives"
      or ".npz and .h5 do"
    errors.raise("cusp.save: %s: %s is %s, which text does not hold; %s", path, place,
      errors.describe(value), hint)
  end
  if not structure.is_plain(value) or #where > 1000 then return end
  for key, item in next, value do
    check_plain(path, item, where .. (where == "" and "" or ".") .. tostring(key))
  end
end

local function save_text(module, options)
  return function(path, value)
    check_plain(path, value, "")
    local ok, text = engine.attempt(require(module).encode, value, options)
    if not ok then errors.raise("cusp.save: %s: %s", path, text) end
    whole_file.write(path, text:find "\n$" and text or text .. "\n")
  end
end

local function load_text(module)
  return function(path)
    local ok, value = engine.attempt(require(module).decode, read_text(path))
    if not ok then errors.raise("cusp.load: %s: %s", path, value) end
    return value
  end
end

---------------------------------------------------------------- by extension

local kinds = {
  npy = {save = save_npy, load = load_numpy},
  npz = {save = save_npz, load = load_npz},
  h5 = {save = save_hdf5, load = load_hdf5},
  safetensors = {save = save_safetensors, load = load_safetensors},
  json = {save = save_text("cusp.formats.json", {indent = 2}),
    load = load_text "cusp.formats.json"},
  yaml = {save = save_text "cusp.formats.yaml", load = load_text "cusp.formats.yaml"},
}
kinds.hdf5, kinds.yml = kinds.h5, kinds.yaml

local function kind_of(owner, path)
  if type(path) ~= "string" then
    errors.raise("%s: expected a path, got %s", owner, errors.describe(path))
  end
  local extension = path:match "%.([^./]+)$"
  local kind = extension and kinds[plain.lower(extension)]
  if kind then return kind end
  local hint = extension == "keras" and "; model:save and cusp.models.load_model are for models"
    or ""
  errors.raise(
    "%s: %s: the end of the name says the format: .npy, .npz, .safetensors, .h5, .hdf5, "
      .. ".json, .yaml or .yml%s",
    owner, path, hint)
end

local function refuse_model(path, value)
  local Object = require "cusp.base.class"
  if type(value) == "table" and Object.is_instance(value, Object)
    and type(value.save) == "function" then
    errors.raise("cusp.save: %s is saved by its own method: model:save(%s)", tostring(value),
      errors.describe(path):gsub("^string ", ""))
  end
end

--- Saves a value: a table of tensors, numbers, strings, booleans, `cusp.null` and further such
-- tables; for `.npy`, one tensor.
-- @tparam string path its extension decides the format: .npy, .npz, .safetensors, .h5, .hdf5,
-- .json, .yaml, .yml
-- @param value
-- @raise for values that the format cannot hold, naming their place; if the file cannot be written,
-- in which case the old one is unchanged
-- @usage cusp.save("state.npz", {weights = {cusp.ones{2, 3}}, step = 10, name = "first"})
function persistence.save(path, value)
  if type(path) == "table" and value == nil then
    path, value = path.path or path[1], path.value == nil and path[2] or path.value
  end
  if value == nil then
    errors.raise("cusp.save: %s: expected a value to save, got nil", errors.describe(path))
  end
  refuse_model(path, value)
  kind_of("cusp.save", path).save(path, value)
end

--- Loads a file saved by `cusp.save`, NumPy, h5py or another program.
-- @tparam string path
-- @return the value; for files of other programs, a tensor (`.npy`) or tables of tensors by name
-- @raise for files that are missing, damaged, or of an unknown kind
-- @usage local state = cusp.load "state.npz"
function persistence.load(path)
  if type(path) == "table" then path = path.path or path[1] end
  local kind = kind_of("cusp.load", path)
  local file, problem = io.open(path, "rb")
  if not file then errors.raise("cusp.load: %s", problem) end
  file:close()
  return kind.load(path)
end

return persistence
