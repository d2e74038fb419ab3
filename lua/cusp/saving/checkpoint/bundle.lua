--- Tensor bundles: the named tensors of a checkpoint, in `PREFIX.index` and
-- `PREFIX.data-00000-of-00001`.
--
-- The index is a sorted string table. Its key "" has a header (number of data files, byte order);
-- every other key has an entry: dtype, shape, data file, offset, size, masked CRC-32C of the stored
-- bytes. See tensorflow/core/protobuf/tensor_bundle.proto and tensorflow/core/util/tensor_bundle
-- for the format.
-- @module cusp.saving.checkpoint.bundle

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local placing = require "cusp.saving.checkpoint.placing"
local protobuf = require "cusp.formats.protobuf"
local sorted_table = require "cusp.saving.checkpoint.sorted_table"

local bundle = {}
local files = engine.files

local most_shards <const> = 99999 -- what "data-%05d-of-%05d" has room for
local most_axes <const> = 254     -- TensorFlow's limit
local largest <const> = math.maxinteger
local most_compared <const> = 500 -- names looked through for one that was meant

local dtypes = {
  DT_FLOAT = "float32", DT_DOUBLE = "float64", DT_HALF = "float16", DT_BFLOAT16 = "bfloat16",
  DT_BOOL = "bool", DT_STRING = "string",
  DT_INT8 = "int8", DT_INT16 = "int16", DT_INT32 = "int32", DT_INT64 = "int64",
  DT_UINT8 = "uint8", DT_UINT16 = "uint16", DT_UINT32 = "uint32", DT_UINT64 = "uint64",
}
local dtype_names = {}
for name, dtype in pairs(dtypes) do dtype_names[dtype] = name end

local sizes = {
  float32 = 4, float64 = 8, float16 = 2, bfloat16 = 2, bool = 1, int8 = 1, int16 = 2, int32 = 4,
  int64 = 8, uint8 = 1, uint16 = 2,
  uint32 = 4, uint64 = 8,
}

---------------------------------------------------------------- reading

local Reader = {}
Reader.__index = Reader

local function decode(path, message, key, value)
  local ok, result = engine.attempt(protobuf.decode, message, value)
  if ok then return result end
  local reason = tostring(result):gsub("^.-: ", "", 1)
  errors.raise("%s: the entry '%s' cannot be read: %s", path, key, reason)
end

local function read_header(path, first)
  if not first or first.key ~= "" then
    errors.raise("%s: has no header: the table's first key should be empty", path)
  end
  local header = decode(path, "tensorflow.BundleHeaderProto", "", first.value)
  if header.num_shards < 1 or header.num_shards > most_shards then
    errors.raise("%s: the header claims %d data files; expected 1 to %d", path,
      header.num_shards, most_shards)
  end
  if header.endianness ~= "LITTLE" and header.endianness ~= "BIG" then
    errors.raise("%s: the header has an unknown byte order, %s", path,
      tostring(header.endianness))
  end
  return header
end

--- The number of elements, or nil if it is 2^63 or more or a size is negative.
local function count_elements(shape)
  local count = 1
  for _, size in ipairs(shape) do
    if size < 0 then return nil end
    if size == 0 then return 0 end
  end
  for _, size in ipairs(shape) do
    if count > largest // size then return nil end
    count = count * size
  end
  return count
end

local function shape_of(where, key, proto)
  local shape = {}
  if proto and proto.unknown_rank then
    errors.raise("%s: '%s' has a shape of unknown rank", where, key)
  end
  for i, dim in ipairs(proto and proto.dim or {}) do shape[i] = dim.size end
  if #shape > most_axes or not count_elements(shape) then
    errors.raise("%s: '%s' has the invalid shape %s", where, key,
      errors.shape(table.move(shape, 1, math.min(#shape, 16), 1, {})))
  end
  return shape
end

--- One entry of the index, checked as far as possible without a data file.
local function read_entry(path, key, value, shards)
  local proto = decode(path, "tensorflow.BundleEntryProto", key, value)
  local shape = shape_of(path, key, proto.shape)
  local dtype = dtypes[proto.dtype] or tostring(proto.dtype)
  if proto.shard_id < 0 or proto.shard_id >= shards then
    errors.raise("%s: '%s' claims to be in data file %d of %d", path, key, proto.shard_id, shards)
  end
  if proto.offset < 0 or proto.size < 0 then
    errors.raise("%s: '%s' has the offset %d and the size %d", path, key, proto.offset, proto.size)
  end
  local count = count_elements(shape)
  if sizes[dtype] and #proto.slices == 0
    and (count > largest // sizes[dtype] or count * sizes[dtype] ~= proto.size) then
    errors.raise("%s: '%s' claims %d bytes, which does not match its shape %s of %s",
      path, key, proto.size,
      errors.shape(shape), dtype)
  end
  return {
    dtype = dtype, shape = shape, count = count, shard = proto.shard_id, offset = proto.offset,
    size = proto.size, crc = proto.crc32c,
    sliced = #proto.slices > 0,
  }
end

--- Opens a checkpoint for reading. Reads and checks the index; opens data files when a tensor is
-- requested.
-- @tparam string prefix the checkpoint's path, without ".index"
-- @treturn Reader
-- @raise naming the file, the position and the fault
function bundle.open(prefix)
  local path = prefix .. ".index"
  local entries = sorted_table.read(path)
  local header = read_header(path, entries[1])
  local self = setmetatable({
    prefix = prefix, path = path, shards = header.num_shards,
    big_endian = header.endianness == "BIG", entries = {}, list = {}, open = {},
  }, Reader)
  for i = 2, #entries do
    local key = entries[i].key
    self.list[i - 1] = key
    self.entries[key] = read_entry(path, key, entries[i].value, self.shards)
  end
  return self
end

--- The names of all tensors, sorted.
-- @treturn {string,...}
function Reader:names() return table.move(self.list, 1, #self.list, 1, {}) end

--- The index entry of a tensor: `dtype`, `shape`, `size` in bytes; nil if there is none.
function Reader:entry(name) return self.entries[name] end

local function data_file(self, shard)
  local reader = self.open[shard]
  if not reader then
    reader = files.open(placing.data_path(self.prefix, shard, self.shards))
    self.open[shard] = reader
  end
  return reader
end

--- The data file of an entry, after checking its range.
local function find(self, name)
  local entry = self.entries[name]
  if not entry then
    local meant = #self.list <= most_compared and type(name) == "string"
      and errors.suggestion(name, self.list)
    errors.raise("%s: has no tensor named '%s'%s", self.path, tostring(name), meant or "")
  end
  if entry.sliced then
    errors.raise("%s: '%s' is stored in slices (a partitioned variable), which cannot be read",
      self.path, name)
  end
  local file = data_file(self, entry.shard)
  if entry.size > file.size or entry.offset > file.size - entry.size then
    errors.raise("%s: '%s' should be the %d bytes at offset %d, but the file has only %d bytes",
      file.path, name, entry.size, entry.offset,
      file.size)
  end
  return entry, file
end

local function check_sum(file, name, entry, masked)
  if masked ~= entry.crc then
    errors.raise(
      "%s: offset %d: the checksum of '%s' does not match (the index says %08x, the data give "
      .. "%08x): a file is damaged, or the "
      .. "files are of two checkpoints", file.path, entry.offset, name, entry.crc, masked)
  end
end

local function mask(crc) return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff end

--- Reads a numeric tensor.
-- @tparam string name
-- @treturn tensor
-- @raise if it does not exist, is not a tensor of a known dtype, or its bytes are damaged
function Reader:tensor(name)
  local entry, file = find(self, name)
  if not sizes[entry.dtype] then
    errors.raise("%s: '%s' has the dtype %s, which Cusp does not support%s", self.path, name,
      entry.dtype,
      entry.dtype == "string" and "; strings(name) reads it" or "")
  end
  if #entry.shape > 8 then
    errors.raise("%s: '%s' has %d axes; expected at most 8", self.path, name, #entry.shape)
  end
  local tensor, crc = file:tensor(entry.offset, entry.dtype, entry.shape, self.big_endian, true)
  check_sum(file, name, entry, mask(crc))
  return tensor
end

--- The lengths at the beginning of a string tensor's bytes.
local function read_string_lengths(self, file, name, entry, bytes)
  local lengths, position, parts = {}, 1, {}
  for i = 1, entry.count do
    local length
    length, position = sorted_table.read_varint(bytes, position)
    if not length then
      errors.raise("%s: offset %d: the lengths of the strings of '%s' cannot be read", file.path,
        entry.offset, name)
    end
    lengths[i] = length
    parts[i] = string.pack(length <= 0xffffffff and "<I4" or "<I8", length)
  end
  local crc = files.crc32c(table.concat(parts))
  local stored = bytes:sub(position, position + 3)
  if #stored < 4 or string.unpack(self.big_endian and ">I4" or "<I4", stored) ~= mask(crc) then
    errors.raise(
      "%s: offset %d: the checksum of the strings' lengths of '%s' does not match: the file is "
      .. "damaged", file.path, entry.offset,
      name)
  end
  return lengths, position + 4, files.crc32c(stored, crc)
end

--- Reads the strings of a string tensor, row by row.
-- @tparam string name
-- @treturn {string,...} one string for a scalar
function Reader:strings(name)
  local entry, file = find(self, name)
  if entry.dtype ~= "string" then
    errors.raise("%s: '%s' has the dtype %s, not string", self.path, name, entry.dtype)
  end
  if entry.count > entry.size then -- each has a length of a byte at least
    errors.raise("%s: '%s' claims to hold %d strings in %d bytes", self.path, name, entry.count,
      entry.size)
  end
  local bytes = file:read(entry.offset, entry.size)
  local lengths, position, crc = read_string_lengths(self, file, name, entry, bytes)
  check_sum(file, name, entry, mask(files.crc32c(bytes:sub(position), crc)))
  local result = {}
  for i, length in ipairs(lengths) do
    if length > #bytes - position + 1 then
      errors.raise("%s: offset %d: a string of '%s' is longer than its tensor", file.path,
        entry.offset + position - 1, name)
    end
    result[i] = bytes:sub(position, position + length - 1)
    position = position + length
  end
  return result
end

--- Closes the data files; they are reopened when needed.
function Reader:close()
  for _, file in pairs(self.open) do file:close() end
  self.open = {}
end
Reader.__close = Reader.close

---------------------------------------------------------------- writing

local Writer = {}
Writer.__index = Writer

--- Starts a checkpoint, which replaces the one at `prefix` on commit. Close it (`local w <close>`)
-- or abort it.
-- @tparam string prefix
-- @treturn Writer
function bundle.create(prefix)
  local place = placing.begin(prefix)
  return setmetatable({prefix = prefix, place = place, data = files.create(place.data),
    entries = {}}, Writer)
end

local function add_entry(self, name, dtype, shape, start, crc)
  local dims = {}
  for i, size in ipairs(shape) do dims[i] = {size = size} end
  self.entries[#self.entries + 1] = {key = name, proto = {
    dtype = dtype_names[dtype], shape = {dim = dims}, shard_id = 0, offset = start,
    size = self.data.position - start, crc32c = crc,
  }}
end

--- Adds a tensor or a variable's value.
-- @tparam string name
-- @tparam tensor value
function Writer:add(name, value)
  local start = self.data.position
  self.data:write(value)
  add_entry(self, name, value.dtype, value.shape, start, files.masked_crc32c(value))
end

--- Adds a scalar string.
function Writer:add_string(name, text)
  local start = self.data.position
  local crc = files.crc32c(string.pack(#text <= 0xffffffff and "<I4" or "<I8", #text))
  local stored = string.pack("<I4", mask(crc))
  self.data:write(sorted_table.varint(#text), stored, text)
  add_entry(self, name, "string", {}, start, mask(files.crc32c(text, files.crc32c(stored, crc))))
end

local function index_bytes(self, shards)
  local header = {num_shards = shards, endianness = "LITTLE", version = {producer = 1}}
  local entries = {{key = "", value = protobuf.encode("tensorflow.BundleHeaderProto", header)}}
  for _, entry in ipairs(self.entries) do
    entries[#entries + 1] = {key = entry.key,
      value = protobuf.encode("tensorflow.BundleEntryProto", entry.proto)}
  end
  return sorted_table.write(entries)
end

--- Syncs the files and puts them in place.
function Writer:commit()
  placing.finish(self.place, self.data, function(shards) return index_bytes(self, shards) end)
end

--- Removes the written files and keeps the old checkpoint; has no effect after a commit.
function Writer:abort() self.data:abort() end
Writer.__close = Writer.abort

return bundle
