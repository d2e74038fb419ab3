--- A dataset in a file opened for reading. Fields: `name` (its path in the file), `kind`
-- ("dataset"), `shape`, `dtype` ("float32", ...; "string"), `chunks` (the shape of its chunks; nil
-- if it is contiguous), `attributes`.
-- @classmod cusp.hdf5.Dataset
local Attributes = require "cusp.formats.hdf5.attributes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local values = require "cusp.formats.hdf5.values"

local Dataset = {__name = "cusp.hdf5.Dataset"}
local methods, getters = {}, {}

local most_axes = 8 -- of a tensor

function Dataset.new(file, name, description)
  return setmetatable({_file = file, _description = description, name = name, kind = "dataset"},
    Dataset)
end

function Dataset:__index(key)
  local getter = getters[key]
  if getter then return getter(self) end
  return methods[key]
end

function methods:_where() return self._file:_where(self.name) end

function getters:shape() return values.shape(self:_where(), self._description) or {0} end

function getters:dtype()
  if self._description.type == "string" then return "string" end
  return type(self._description.dtype) == "string" and self._description.dtype or nil
end

function getters:chunks()
  local chunk = self._description.chunk
  return chunk and values.shape(self:_where(), {shape = chunk})
end

function getters:attributes()
  local attributes = Attributes.new(self:_where(), self._description.attributes)
  rawset(self, "attributes", attributes)
  return attributes
end

-- Large data is not sent with the tree; it is requested on first use, and kept.
local function fetch(self, key)
  local description = self._description
  if description[key] == nil then
    local contents = self._file:_parse(description.address)
    values.check_readable(self:_where(), contents)
    description[key] = contents[key]
  end
  return description[key]
end

-- Numbers that were never written, or are stored in chunks. A scalar is read as one row.
local function chunked(self, shape)
  local description = self._description
  if not self._chunked then
    local whole = description.layout == "contiguous"
    local fill = type(description.fill) == "string" and description.fill or nil
    self._chunked = engine.files.chunked{
      reader = self._file._reader, dtype = description.dtype, big_endian = description.big_endian,
      shape = shape,
      chunk = whole and shape or description.chunk, filters = description.filters,
      fill = fill and description.big_endian and fill:reverse() or fill,
      index = not whole and fetch(self, "index") or "",
    }
  end
  return self._chunked
end

local function read_chunked(self, shape, first, count)
  if #shape == 0 then return engine.ops.reshape(chunked(self, {1}):rows(0, 1), {}) end
  return chunked(self, shape):rows(first, count)
end

-- Rows first to first + count - 1 of a numeric dataset, counting from 0; all rows if `first` is
-- nil.
local function read_numbers(self, shape, first, count)
  local description, where = self._description, self:_where()
  local whole = first == nil
  if type(description.values) == "string" then
    local tensor = values.tensor(where, description)
    return whole and tensor or tensor:slice{{first + 1, first + count}}
  end
  values.check(description.offset or description.layout == "chunked" or description.fill, where,
    "its storage is missing")
  if not description.offset then return read_chunked(self, shape, first or 0, count or shape[1]) end
  values.check(math.type(description.offset) == "integer" and description.offset >= 0, where,
    "its offset is none")
  local offset = description.offset
  if not whole then
    local row = values.count(where, {count > 0 and 1 or 0, table.unpack(shape, 2)})
    offset = offset + first * row * description.size
    shape = {count, table.unpack(shape, 2)}
  end
  return self._file._reader:tensor(offset, description.dtype, shape, description.big_endian)
end

local function read_strings(self)
  local description = self._description
  if values.count(self:_where(), values.shape(self:_where(), description)) > 0 then
    fetch(self, "values")
  end
  return values.strings(self:_where(), description)
end

-- Raises if no tensor can hold the numbers.
local function check_numbers(self, shape)
  values.check(self.dtype, self:_where(), "its type is missing")
  if #shape > most_axes then
    errors.raise("hdf5: %s: has %d axes; tensors have at most %d", self:_where(), #shape, most_axes)
  end
end

--- Reads the whole dataset.
-- @return a tensor of the dataset's shape and dtype; for strings, the string or (nested) lists
-- @raise naming the file and the position if it is damaged, or if a type, layout or filter is not
-- supported
function methods:read()
  self._file:_check_open()
  values.check_readable(self:_where(), self._description)
  if self.dtype == "string" then return read_strings(self) end
  local shape = self.shape
  check_numbers(self, shape)
  if values.count(self:_where(), shape) == 0 then return engine.ops.zeros(shape, self.dtype) end
  return read_numbers(self, shape)
end

--- Reads some rows along the first axis.
-- @tparam integer first the first row, counted from 1
-- @tparam integer last the last row, included
-- @return a tensor `[last - first + 1, ...]`, or a list of strings
-- @raise as `read`, and if the rows do not exist
function methods:rows(first, last)
  self._file:_check_open()
  values.check_readable(self:_where(), self._description)
  local shape = self.shape
  if #shape == 0 then
    errors.raise("hdf5: %s: rows: it is a scalar and has no rows; use read()", self:_where())
  end
  local integers = math.type(first) == "integer" and math.type(last) == "integer"
  if not integers or first < 1 or last > shape[1] or last < first - 1 then
    errors.raise("hdf5: %s: rows: expected 1 <= first <= last <= %d, got first = %s, last = %s",
      self:_where(), shape[1], tostring(first),
      tostring(last))
  end
  if self.dtype == "string" then return table.move(read_strings(self), first, last, 1, {}) end
  check_numbers(self, shape)
  local count = last - first + 1
  if count == 0 or values.count(self:_where(), shape) == 0 then
    return engine.ops.zeros({count, table.unpack(shape, 2)}, self.dtype)
  end
  return read_numbers(self, shape, first - 1, count)
end

function Dataset:__tostring()
  return ("HDF5 dataset %s: %s %s"):format(self.name, self.dtype or "?", errors.shape(self.shape))
end

return Dataset
