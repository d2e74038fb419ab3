--- A new file. It is also its own root group: `file:create_group(name)`, `file.attributes`. It is
-- laid out in memory, written beside the old file, and `close` puts it in place. Layout, types and
-- attribute kinds are h5py's defaults. Fields: `path`, `root`.
-- @classmod cusp.hdf5.NewFile
local chunking = require "cusp.formats.hdf5.chunking"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local gathering = require "cusp.base.gathering"
local lists = require "cusp.base.lists"
local values = require "cusp.formats.hdf5.values"

local NewFile = {__name = "cusp.hdf5.NewFile"}
local NewGroup = {__name = "cusp.hdf5.NewGroup"}
local NewDataset = {__name = "cusp.hdf5.NewDataset"}
local NewAttributes = {__name = "cusp.hdf5.NewAttributes"}
NewAttributes.__index = NewAttributes

local file_methods, group_methods = {}, {}

-- The largest attribute that surely fits into an HDF5 object header; Keras splits its name lists at
-- this size.
local header_limit = 64512

---------------------------------------------------------------- the file

-- See cusp.hdf5.create.
function NewFile.create(path)
  local library = require "cusp.formats.hdf5.library"
  local file = setmetatable({path = path, _writer = engine.files.create(path), _tensors = {},
    _written = 0}, NewFile)
  file._native = library.create()
  file._objects = {["/"] = NewGroup.new(file, "/")}
  file.root = file._objects["/"]
  return file
end

function NewFile:__index(key)
  local method = file_methods[key]
  if method ~= nil then return method end
  if key == "attributes" then return self.root.attributes end
  local member = group_methods[key]
  if member then return function(_, ...) return member(self.root, ...) end end
end

function file_methods:_where(name) return self.path .. (name and ": " .. name or "") end

-- Calls a method of the native file, and prefixes its errors with the place.
function file_methods:_call(where, method, ...)
  if not self._native then errors.raise("hdf5: %s: the file has been closed", self.path) end
  local ok, result = engine.attempt(self._native[method], self._native, ...)
  if not ok then errors.raise("hdf5: %s: %s", where, tostring(result)) end
  return result
end

-- `_written` is the end of the data written so far.
local function write_at(file, offset, data, bytes)
  file._writer:write_at(offset, data)
  file._written = math.max(file._written, offset + bytes)
end

local function write_pages(file)
  local offset, page = file._native:page(0)
  while offset do
    write_at(file, offset, page, #page)
    offset, page = file._native:page(offset + #page)
  end
end

-- The end of the file may lie after the data written last.
local function write_end(file, size)
  if file._written < size then file._writer:write_at(size - 1, "\0") end
end

-- Writes the file beside its final place, then calls `finish(writer)`. `lent`: the disk need not
-- have it.
local function write_then(file, finish, lent)
  if not file._native then return end
  local ok, message = pcall(function()
    if lent then file._writer:lend() end
    local size = file:_call(file.path, "finish")
    write_pages(file)
    for _, entry in ipairs(file._tensors) do
      gathering.with(entry.tensor, function(tensor)
        write_at(file, entry.offset, tensor, entry.bytes)
      end)
    end
    write_end(file, size)
    finish(file._writer)
  end)
  file:abort()
  if not ok then error(message, 0) end
end

--- Writes the file and puts it in place atomically. The tensors' values are computed now.
-- @raise if the disk is full or the file cannot be written; the old file is then unchanged
function file_methods:close()
  write_then(self, function(writer) writer:commit() end)
end

--- Writes a temporary file, calls `use` with its path, for code that copies it elsewhere, and
-- removes it. The file is not synced, and the file's own path is untouched.
-- @tparam function use
-- @raise as `close`, and errors of `use`
function file_methods:lend(use)
  write_then(self, function(writer) use(writer.temporary) end, true)
end

--- Discards the file; the old one is untouched. Has no effect after `close`.
function file_methods:abort()
  if self._native then self._native:release() end
  self._writer:abort()
  self._native, self._tensors = nil, {}
end

-- A to-be-closed variable that was not closed was left because of an error.
NewFile.__close = file_methods.abort

function NewFile:__tostring() return require "cusp.formats.hdf5.tree"(self.root) end

---------------------------------------------------------------- groups

function NewGroup.new(file, name)
  return setmetatable({_file = file, _members = {}, name = name, kind = "group"}, NewGroup)
end

function NewGroup:__index(key)
  if key == "attributes" then
    return setmetatable({_file = self._file, _parent = self.name}, NewAttributes)
  end
  return group_methods[key]
end

NewGroup.__tostring = function(self) return require "cusp.formats.hdf5.tree"(self) end

local function join(name, part) return name == "/" and "/" .. part or name .. "/" .. part end

-- The names of a path to be created below a group, or below the root if it starts with "/".
local function split(group, path, method)
  local where = group._file:_where(group.name)
  if type(path) ~= "string" or path:find("\0", 1, true) then
    errors.raise("hdf5: %s: %s expects a name, got %s", where, method, errors.describe(path))
  end
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part ~= "." then parts[#parts + 1] = part end
  end
  if #parts == 0 then
    errors.raise("hdf5: %s: %s expects a name, got %s", where, method, errors.describe(path))
  end
  return parts, path:sub(1, 1) == "/" and group._file.root or group
end

local function add_object(parent, part, object)
  parent._members[part] = object
  parent._file._objects[object.name] = object
  return object
end

local function new_group(parent, part)
  local file, name = parent._file, join(parent.name, part)
  file:_call(file:_where(name), "group", name)
  return add_object(parent, part, NewGroup.new(file, name))
end

-- The parent group of a new object, created if necessary, and the object's own name.
local function prepare(group, path, method)
  local parts, at = split(group, path, method)
  for i = 1, #parts - 1 do
    local member = at._members[parts[i]]
    if member and member.kind ~= "group" then
      errors.raise("hdf5: %s: it is a dataset; nothing can be created below it",
        group._file:_where(member.name))
    end
    at = member or new_group(at, parts[i])
  end
  local name = parts[#parts]
  if at._members[name] then
    errors.raise("hdf5: %s: %s: a %s of that name already exists",
      group._file:_where(join(at.name, name)), method,
      at._members[name].kind)
  end
  return at, name
end

--- Creates a group, and missing groups above it.
-- @tparam string path names joined by "/"
-- @treturn NewGroup
-- @raise if an object of that name exists
function group_methods:create_group(path)
  return new_group(prepare(self, path, "create_group"))
end

--- Returns the group of that path, creating it if necessary.
-- @treturn NewGroup
function group_methods:require_group(path)
  local found = self:get(path)
  if found and found.kind == "group" then return found end
  return self:create_group(path)
end

--- Looks up a member that was created.
-- @return a NewGroup or NewDataset; nil if there is none
function group_methods:get(path)
  local at = path:sub(1, 1) == "/" and self._file.root or self
  for part in path:gmatch "[^/]+" do
    if part ~= "." then at = at and at.kind == "group" and at._members[part] or nil end
  end
  return at
end

--- The names of the members, sorted bytewise.
function group_methods:names() return lists.keys(self._members) end

---------------------------------------------------------------- datasets

NewDataset.__index = function(self, key)
  if key == "attributes" then
    return setmetatable({_file = self._file, _parent = self.name}, NewAttributes)
  end
end

function NewDataset:__tostring()
  return ("HDF5 dataset %s: %s %s"):format(self.name, self.dtype, errors.shape(self.shape))
end

local function byte_size(dtype) return dtype == "bool" and 1 or tonumber(dtype:match "%d+") // 8 end

local function element_count(shape)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  return count
end

-- Contiguous: the position is known now, and the numbers are written at the end.
local function write_contiguous(file, name, tensor)
  local offset = file:_call(file:_where(name), "dataset", name, tensor.dtype, tensor.shape)
  local bytes = element_count(tensor.shape) * byte_size(tensor.dtype)
  if offset and bytes > 0 then
    file._tensors[#file._tensors + 1] = {offset = offset, tensor = tensor, bytes = bytes}
  end
end

local function check_chunks(where, tensor, options)
  local shape, chunk = tensor.shape, options.chunks
  if #shape == 0 then
    errors.raise("hdf5: %s: a scalar has no chunks and is not compressed", where)
  end
  if options.compression ~= nil and options.compression ~= "gzip" then
    errors.raise('hdf5: %s: compression expects "gzip", got %s', where,
      errors.describe(options.compression))
  end
  if chunk == nil or chunk == true then return chunking.guess(shape, byte_size(tensor.dtype)) end
  local fits = type(chunk) == "table" and #chunk == #shape
  for axis, size in ipairs(shape) do
    fits = fits and math.type(chunk[axis]) == "integer" and chunk[axis] >= 1
      and chunk[axis] <= math.max(size, 1)
  end
  if not fits then
    errors.raise("hdf5: %s: chunks expects %d sizes from 1 to those of the shape %s, got %s", where,
      #shape, errors.shape(shape),
      errors.describe(chunk))
  end
  return chunk
end

-- h5py's order: a checksum covers the stored bytes.
local function filters_of(where, options)
  local filters, level = {}, options.compression_opts or 4
  if math.type(level) ~= "integer" or level < 0 or level > 9 then
    errors.raise("hdf5: %s: compression_opts expects a level from 0 to 9, got %s", where,
      errors.describe(level))
  end
  if options.shuffle then filters[#filters + 1] = "shuffle" end
  if options.compression then filters[#filters + 1] = "gzip" end
  if options.fletcher32 then filters[#filters + 1] = "fletcher32" end
  return filters, level
end

local function write_chunked(file, name, tensor, options)
  local where = file:_where(name)
  local chunk = check_chunks(where, tensor, options)
  local filters, level = filters_of(where, options)
  local shape = tensor.shape
  file:_call(where, "chunked_dataset", name, tensor.dtype, shape, chunk, filters, level)
  if element_count(shape) == 0 then return end
  local encoder = engine.files.chunked{dtype = tensor.dtype, shape = shape, chunk = chunk,
    filters = filters, level = level}
  for index, start in chunking.starts(shape, chunk) do
    local bytes = encoder:encode(tensor, index)
    write_at(file, file:_call(where, "chunk", name, start, bytes), bytes, #bytes)
  end
end

local function write_dataset(file, name, written, options)
  if written.strings then
    file:_call(file:_where(name), "string_dataset", name, written.strings, written.shape,
      written.charset, written.size)
    return "string", written.shape
  end
  if options.chunks or options.compression or options.shuffle or options.fletcher32 then
    write_chunked(file, name, gathering.read(written.tensor), options)
  else
    write_contiguous(file, name, written.tensor)
  end
  return written.tensor.dtype, written.tensor.shape
end

--- Creates a dataset, and missing groups above it.
-- @tparam string path names joined by "/"
-- @param value a tensor or variable (its value is taken now), a number, a boolean, (nested) lists
-- of these, a string, or a list of strings. Lua's integers become int64 and its floats float64, as
-- in NumPy
-- @tparam[opt] table options `dtype`: another dtype; `chunks`: a shape, or true for a default;
-- `compression`: "gzip", with its level in `compression_opts` (4); `shuffle`, `fletcher32`: add
-- these filters; for strings `fixed` and `charset` as in `attributes:set`
-- @treturn NewDataset with `name`, `kind`, `shape`, `dtype`, `attributes`
-- @raise if an object of that name exists, or the value cannot be written
function group_methods:create_dataset(path, value, options)
  local file = self._file
  local where = file:_where(type(path) == "string" and path or self.name)
  local written = values.to_write(where, value, options)
  local parent, part = prepare(self, path, "create_dataset")
  local name = join(parent.name, part)
  local dtype, shape = write_dataset(file, name, written, options or {})
  return add_object(parent, part,
    setmetatable({_file = file, name = name, kind = "dataset", dtype = dtype, shape = shape},
      NewDataset))
end

---------------------------------------------------------------- attributes

local function attribute_bytes(written, tensor)
  if tensor then return element_count(tensor.shape) * byte_size(tensor.dtype) end
  return #written.strings * (written.size or 16)
end

local function check_size(where, bytes)
  if bytes <= header_limit then return end
  errors.raise(
    "hdf5: %s: an attribute holds at most %d bytes, this one has %d; Keras splits lists of names "
    .. "over attributes "
    .. "name0, name1, ..., a large tensor belongs into a dataset", where, header_limit, bytes)
end

--- Sets an attribute, replacing an old one of that name.
-- @tparam string name
-- @param value as for `create_dataset`; `{}` is an empty float64 array
-- @tparam[opt] table options for strings: `charset` "utf8" (the default) or "ascii", `fixed`: true,
-- or the size in bytes, for strings of fixed length padded with zeros (the default is variable
-- length); for numbers: `dtype`, `shape`
-- @raise if it is larger than the 64,512 bytes that fit into an HDF5 object header (Keras splits
-- its name lists)
function NewAttributes:set(name, value, options)
  local file = self._file
  local where = ("%s: attribute '%s'"):format(file:_where(self._parent), tostring(name))
  if type(name) ~= "string" or name == "" or name:find("\0", 1, true) then
    errors.raise("hdf5: %s: expected a name, got %s", where, errors.describe(name))
  end
  local written = values.to_write(where, value, options)
  check_size(where, attribute_bytes(written, written.tensor))
  if written.strings then
    file:_call(where, "string_attribute", self._parent, name, written.strings, written.shape,
      written.charset, written.size)
  else
    local tensor = written.tensor
    file:_call(where, "attribute", self._parent, name, tensor:tobytes(), tensor.dtype, tensor.shape)
  end
end

return NewFile
