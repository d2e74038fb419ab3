--- Datasets of rows in binary files, read while they are gone through: HDF5, NumPy, IDX.
-- The files may be larger than memory: only the batches that wait in the pipeline are there.
-- @module cusp.data.files
local Dataset = require "cusp.data.dataset"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"

local files = {}

local function stage(name) return require("cusp.data.stages.source")[name] end

-- A dataset of readers in a structure; `make_rows` gives the reader of a name.
local function of_structure(names, make_rows)
  local readers = {}
  local function place(value)
    if not structure.is_container(value) then
      readers[#readers + 1] = make_rows(value)
      return #readers
    end
    local form = {}
    if structure.is_list(value) then
      for i = 1, #value do form[i] = place(value[i]) end
    else
      for _, key in ipairs(structure.keys(value)) do form[key] = place(value[key]) end
    end
    return form
  end
  local form = place(names)
  local rows = #readers == 1 and readers[1] or engine.data.zip(readers)
  return Dataset.make(stage "rows", {rows = rows, form = form}), readers
end

local function check_equal_rows(owner, readers, names)
  for i = 2, #readers do
    if readers[i].rows ~= readers[1].rows then
      errors.raise("%s: %s has %d rows, but %s has %d; expected as many of each", owner, names[i],
        readers[i].rows, names[1],
        readers[1].rows)
    end
  end
end

-- The paths of a structure in order.
local function check_paths(owner, paths)
  local flat = structure.flatten(paths)
  for _, path in ipairs(flat) do
    if type(path) ~= "string" then
      errors.raise("%s: paths are strings, got %s", owner, errors.describe(path))
    end
  end
  if #flat == 0 then errors.raise("%s: there is no path", owner) end
  return flat
end

---------------------------------------------------------------- HDF5

--- Rows of datasets in an HDF5 file.
-- @tparam string path
-- @param names the name of a dataset in the file ("x", "train/x"), or a list or table by name of
-- names: the elements' structure
-- @treturn Dataset
-- @raise where the file or a dataset is missing or malformed, or the datasets have different
-- numbers of rows
-- @usage cusp.data.from_hdf5("train.h5", {"x", "y"}):shuffle(10000):batch(64)
function files.from_hdf5(path, names)
  if names == nil and type(path) == "table" then
    path, names = path.path or path[1], path.names or path[2]
  end
  if type(path) ~= "string" then
    errors.raise("from_hdf5: expected a path, got %s", errors.describe(path))
  end
  if names == nil then
    errors.raise("from_hdf5: %s: which datasets? Give a name, or a list or table by name of names",
      path)
  end
  local file = require("cusp.formats.hdf5").open(path)
  local flat = {}
  local dataset, readers = of_structure(names, function(name)
    if type(name) ~= "string" then
      errors.raise("from_hdf5: names of datasets are strings, got %s", errors.describe(name))
    end
    flat[#flat + 1] = name
    local found = file:get(name)
    if not found or found.kind ~= "dataset" then
      errors.raise("from_hdf5: %s: there is no dataset '%s'%s", path, name,
        errors.suggestion(name, file.root:names()))
    end
    return require("cusp.data.hdf5_rows").of(path, name, found)
  end)
  check_equal_rows("from_hdf5: " .. path, readers, flat)
  dataset.options.file = file
  return dataset
end

---------------------------------------------------------------- NumPy

-- NumPy's type strings; byte order apart.
local numpy_dtypes = {
  b1 = "bool", i1 = "int8", i2 = "int16", i4 = "int32", i8 = "int64", u1 = "uint8", u2 = "uint16",
  u4 = "uint32", u8 = "uint64",
  f2 = "float16", f4 = "float32", f8 = "float64",
}

local function numpy_rows(path)
  local reader <close> = engine.files.open(path)
  local facts, problem = require("cusp.formats.numpy.header").read(function(at, count)
    return reader:read(at, count)
  end, reader.size)
  if not facts then errors.raise("from_numpy: %s: %s", path, problem) end
  local order, code = tostring(facts.descr):match "^([<>|=]?)(%a%d+)$"
  if not numpy_dtypes[code] then
    errors.raise("from_numpy: %s: arrays of type %s cannot be read row by row", path,
      tostring(facts.descr))
  end
  local shape = facts.shape
  if facts.fortran_order and #shape > 1 then
    errors.raise("from_numpy: %s: only arrays in C order can be read row by row", path)
  end
  if #shape == 0 then errors.raise("from_numpy: %s: a scalar has no rows", path) end
  return engine.data.file_rows{
    path = path, offset = facts.length, rows = shape[1], dtype = numpy_dtypes[code],
    shape = table.move(shape, 2, #shape, 1, {}),
    big_endian = order == ">",
  }
end

-- A dataset of the rows that `read` finds in each file.
local function of_paths(owner, paths, read)
  local flat = check_paths(owner, paths)
  local dataset, readers = of_structure(paths, read)
  check_equal_rows(owner, readers, flat)
  return dataset
end

--- Rows of `.npy` files.
-- @param paths a path, or a list or table by name of paths: the elements' structure
-- @treturn Dataset
-- @usage cusp.data.from_numpy{"x.npy", "y.npy"}
function files.from_numpy(paths) return of_paths("from_numpy", paths, numpy_rows) end

---------------------------------------------------------------- IDX

local idx_dtypes = {[0x08] = "uint8", [0x09] = "int8", [0x0b] = "int16", [0x0c] = "int32",
  [0x0d] = "float32", [0x0e] = "float64"}

-- Compressed files cannot be read from the middle: they are read whole.
local function idx_rows(path)
  local reader <close> = engine.files.open(path)
  local start = reader.size >= 4 and reader:read(0, 4) or ""
  local dtype = start:sub(1, 2) == "\0\0" and idx_dtypes[start:byte(3)]
  local axes = dtype and start:byte(4)
  if not dtype or axes == 0 or reader.size < 4 + 4 * axes then
    local tensor = engine.read_idx(path)
    return engine.data.arrays{tensor}
  end
  local shape, sizes = {}, reader:read(4, 4 * axes)
  local count = 1
  for i = 1, axes do
    shape[i] = (">I4"):unpack(sizes, 4 * i - 3)
    count = count * shape[i]
  end
  if count == 0 then return engine.data.arrays{engine.read_idx(path)} end
  return engine.data.file_rows{
    path = path, offset = 4 + 4 * axes, rows = shape[1], dtype = dtype,
    shape = table.move(shape, 2, axes, 1, {}), big_endian = true,
  }
end

--- Rows of IDX files (MNIST's format), plain or compressed by gzip.
-- @param paths a path, or a list or table by name of paths: the elements' structure
-- @treturn Dataset
function files.from_idx(paths) return of_paths("from_idx", paths, idx_rows) end

local bind_records = arguments.binder("FixedLengthRecordDataset", {
  {"path", "string"}, {"shape", "shape"}, {"dtype", "dtype", default = "uint8"},
  {"header_bytes", "integer", default = 0, min = 0},
  {"footer_bytes", "integer", default = 0, min = 0},
  {"big_endian", "boolean", default = false},
}, false)

--- Rows of one shape and dtype that lie side by side in a file, as they do in memory.
-- @tparam string path
-- @tparam {integer,...} shape of a row
-- @tparam[opt="uint8"] string dtype
-- @tparam[opt=0] integer header_bytes before the first row
-- @tparam[opt=0] integer footer_bytes behind the last
-- @tparam[opt=false] boolean big_endian
function files.FixedLengthRecordDataset(...)
  local path, shape, dtype, header, footer, big_endian = bind_records(...)
  local reader <close> = engine.files.open(path)
  local bytes = tonumber(dtype:match "%d+$" or 8) // 8
  for _, size in ipairs(shape) do bytes = bytes * size end
  local content = reader.size - header - footer
  if bytes == 0 or content < 0 or content % bytes ~= 0 then
    errors.raise(
      "FixedLengthRecordDataset: %s: %d bytes between header and footer are not a whole number of "
      .. "records of %d bytes",
      path, content, bytes)
  end
  local rows = engine.data.file_rows{
    path = path, offset = header, rows = content // bytes, dtype = dtype, shape = shape,
    big_endian = big_endian,
  }
  return Dataset.make(stage "rows", {rows = rows, form = 1})
end

return files
