--- NumPy's files: `.npy`, one array, and `.npz`, a zip archive of arrays. Reads all dtypes of
-- tensors in either byte order and in Fortran order; arrays of strings become lists of strings.
-- Arrays of Python objects are refused, since reading them would run code from the file. bfloat16
-- is stored as two raw bytes (`V2`), like the Python package ml_dtypes does.
-- @module cusp.formats.numpy
-- @usage
-- local numpy = require("cusp").numpy
-- numpy.save("x.npy", cusp.random.uniform{3, 4})
-- numpy.savez("data.npz", {x = numpy.load "x.npy", y = cusp.arange(4)})
-- print(numpy.load("data.npz").y)
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local whole_file = require "cusp.base.whole_file"

local numpy = {}

-- Loads array and header with the first file.
local function arrays() return require "cusp.formats.numpy.array" end

local function to_tensor(owner, value)
  if engine.is_tensor(value) and value.dtype ~= "string" then return value end
  if engine.is_variable(value) then return value.value end
  local kind = type(value)
  if kind == "number" or kind == "boolean" or lists.is_container(value) then
    local ok, tensor = engine.attempt(engine.tensor, value, {})
    if ok then return tensor end
  end
  errors.raise("%s: expected a tensor, or numbers that make one, got %s", owner,
    errors.describe(value))
end

---------------------------------------------------------------- reading

local function read_npy(path)
  local reader <close> = engine.files.open(path)
  local value, problem = arrays().read(reader, 0, reader.size)
  if value == nil then errors.raise("numpy.load: %s: %s", path, problem) end
  return value
end

--- Reads a member of an archive: in place if it is stored, from a temporary file if it is
-- compressed.
local function read_member(archive, reader, name)
  local offset, size = archive:stored(name)
  if offset then return arrays().read(reader, offset, size) end
  local extracted <close> = engine.files.open(archive:extract(name))
  return arrays().read(extracted, 0, extracted.size)
end

--- Reads the arrays of an archive into `result`, by their names without ".npy".
local function read_arrays(archive, reader, result)
  for _, name in ipairs(archive:names()) do
    local key = name:match "^(.+)%.npy$"
    if key then
      local value, problem = read_member(archive, reader, name)
      if value == nil then
        errors.raise("numpy.load: %s: member '%s': %s", archive.path, name, problem)
      end
      result[key] = value
    end
  end
  return result
end

--- The arrays of an open archive, name → tensor.
-- @tparam cusp.zip.Archive archive
-- @treturn table
-- @local
function numpy.arrays_of(archive)
  local reader <close> = engine.files.open(archive.path)
  return read_arrays(archive, reader, {})
end

local function read_npz(path)
  local archive <close> = require("cusp.formats.zip").open(path)
  return numpy.arrays_of(archive)
end

local bind_load = arguments.binder("numpy.load", {{"path", "string"}})

--- Reads a `.npy` or `.npz` file, decided by its first bytes.
-- @tparam string path
-- @return the tensor of a `.npy` file (or nested lists of strings); for `.npz` a table of them by
-- name, without members that are not arrays
-- @raise for files that are neither, are damaged, or hold values that tensors cannot
function numpy.load(...)
  local path = bind_load(...)
  local first
  do
    local reader <close> = engine.files.open(path)
    first = reader:read(0, math.min(reader.size, 6))
  end
  if first:sub(1, 2) == "PK" then return read_npz(path) end
  if first == "\x93NUMPY" then return read_npy(path) end
  local pickled = first:byte() == 0x80 and "; it may be a pickle, which is a program and is not run"
    or ""
  errors.raise("numpy.load: %s: neither a .npy nor a .npz file, by its first bytes%s", path,
    pickled)
end

---------------------------------------------------------------- writing

local bind_save = arguments.binder("numpy.save", {{"path", "string"}, {"value", "any"}})

--- Writes one tensor as `.npy` (version 1.0), to exactly this path.
-- @tparam string path
-- @param value a tensor, a variable, or numbers for a tensor
-- @raise if the file cannot be written; the old file is then unchanged
function numpy.save(...)
  local path, value = bind_save(...)
  local tensor = to_tensor("numpy.save: " .. path, value)
  whole_file.write(path, arrays().header(tensor), tensor)
end

--- Adds a tensor to a zip writer as the member `name`.npy.
-- @tparam cusp.zip.Writer writer
-- @tparam string name
-- @tparam tensor tensor
-- @tparam[opt] table options of the writer's `add`
-- @local
function numpy.add(writer, name, tensor, options)
  writer:add(name .. ".npy", {arrays().header(tensor), tensor}, options)
end

--- The arguments of savez: the path, and names → values in the order of writing. Values without a
-- name get NumPy's arr_0, arr_1, ...
local function savez_arguments(owner, ...)
  local positional, n, named = arguments.split(false, ...)
  local path, values = positional[1], table.move(positional, 2, n, 1, {})
  if type(path) ~= "string" then
    errors.raise("%s: expected a path, got %s", owner, errors.describe(path))
  end
  local first = values[1]
  local is_list = lists.is_container(first) and (next(first) == nil or engine.is_tensor(first[1]))
  if #values == 1 and is_list then values = first end
  local names = require("cusp.base.ordered").keys(named)
  for i, value in ipairs(values) do
    local name = ("arr_%d"):format(i - 1)
    if named[name] ~= nil then
      errors.raise("%s: %s: '%s' is also the default name of an unnamed value", owner, path, name)
    end
    table.insert(names, i, name)
    named[name] = value
  end
  return path, names, named
end

local function write_npz(owner, options, ...)
  local path, names, values = savez_arguments(owner, ...)
  local writer <close> = require("cusp.formats.zip").create(path)
  for _, name in ipairs(names) do
    numpy.add(writer, name, to_tensor(("%s: %s: '%s'"):format(owner, path, name), values[name]),
      options)
  end
  writer:close()
end

--- Writes tensors as an uncompressed `.npz`.
-- @tparam string path
-- @param ... tensors, which get NumPy's names arr_0, arr_1, ... (or one list of them)
-- @tparam[opt] table arrays name → tensor
-- @raise if a value is not a tensor, or the file cannot be written; the old file is then unchanged
-- @usage cusp.numpy.savez("data.npz", {x = x, y = y})
function numpy.savez(...) write_npz("numpy.savez", nil, ...) end

--- Like `savez`, compressed with deflate.
-- @tparam string path
-- @param ... tensors
-- @tparam[opt] table arrays name → tensor
function numpy.savez_compressed(...) write_npz("numpy.savez_compressed", {compress = true}, ...) end

return numpy
