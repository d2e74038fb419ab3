--- TFRecord files: a sequence of byte strings with checksums, used for TensorFlow's datasets and
-- TensorBoard's event files. A record consists of its length (8 bytes), the length's masked
-- CRC-32C, the bytes, and their masked CRC-32C; numbers are little-endian. `encode_example` and
-- `decode_example` convert `tf.train.Example` messages, the usual content of datasets.
-- @module cusp.formats.tfrecord
-- @usage
-- local writer <close> = cusp.tfrecord.writer "train.tfrecord"
-- writer:write(cusp.tfrecord.encode_example{label = 3, image = bytes})
-- writer:close()
-- for record in cusp.tfrecord.records "train.tfrecord" do
--   print(cusp.tfrecord.decode_example(record).label[1])
-- end
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"

local tfrecord = {}

local HEADER = "<I8I4"
local HEADER_BYTES, FOOTER_BYTES = 12, 4
local CHUNK = 1 << 16
local LONGEST = 1 << 30

---------------------------------------------------------------- writing

local Writer = {__name = "cusp.tfrecord.Writer"}
Writer.__index = Writer

local bind_writer = arguments.binder("tfrecord.writer", {{"path", "string"}})

--- Opens a file to append records; creates it if it does not exist.
-- @tparam string path
-- @treturn Writer with `write(bytes)`, `flush()`, `close()`, `path`; close it after use
-- @raise if the file cannot be opened
function tfrecord.writer(...)
  local path = bind_writer(...)
  local file, why = io.open(path, "ab")
  if not file then errors.raise("tfrecord.writer: cannot write %s", why) end
  return setmetatable({path = path, file = file}, Writer)
end

local function check_written(writer, ok, why)
  if not ok then errors.raise("tfrecord.writer: cannot write %s: %s", writer.path, why) end
end

--- Appends a record.
-- @tparam string bytes
-- @raise if the disk is full or the writer is closed
function Writer:write(bytes)
  if type(bytes) ~= "string" then
    errors.raise("tfrecord.writer: a record should be a string, got %s", errors.describe(bytes))
  end
  if not self.file then errors.raise("tfrecord.writer: %s is closed", self.path) end
  local checksum = engine.files.masked_crc32c
  local length = ("<I8"):pack(#bytes)
  check_written(self, self.file:write(length, ("<I4"):pack(checksum(length)), bytes,
    ("<I4"):pack(checksum(bytes))))
end

--- Passes written data to the system, so that other programs see it and it survives a crash of this
-- one.
function Writer:flush()
  if self.file then check_written(self, self.file:flush()) end
end

--- Flushes and closes; has no effect on a closed writer.
function Writer:close()
  local file = self.file
  self.file = nil
  if file then check_written(self, file:close()) end
end

function Writer:__close() self:close() end

---------------------------------------------------------------- reading

-- Plain bytes of a file: at most `count` of them.
local function plain_source(file)
  local size = file:seek "end"
  file:seek "set"
  return {size = size, read = function(_, count) return file:read(count) or "" end}
end

-- Bytes of a gzip or zlib file, inflated on demand.
local function inflated_source(file, path)
  local stream = require("cusp.base.native").load("zlib", "tfrecord.reader").inflater()
  local buffer, at, may_end = "", 1, true
  file:seek "set"

  local function inflate()
    local bytes = file:read(CHUNK)
    if not bytes then
      if not may_end then
        errors.raise("tfrecord.reader: %s: the compressed data ends too early", path)
      end
      return nil
    end
    local ok, inflated, ended = engine.attempt(stream.feed, stream, bytes)
    if not ok then errors.raise("tfrecord.reader: %s: %s", path, inflated) end
    may_end = ended
    return inflated
  end

  return {
    read = function(_, count)
      if #buffer - at + 1 < count then
        local parts, size = {buffer:sub(at)}, #buffer - at + 1
        while size < count do
          local more = inflate()
          if not more then break end
          parts[#parts + 1], size = more, size + #more
        end
        buffer, at = table.concat(parts), 1
      end
      local bytes = buffer:sub(at, at + count - 1)
      at = at + #bytes
      return bytes
    end,
  }
end

local Reader = {__name = "cusp.tfrecord.Reader"}
Reader.__index = Reader

local bind_reader = arguments.binder("tfrecord.reader", {
  {"path", "string"},
  {"compression", "choice", choices = {"auto", "none", "gzip", "zlib"}, default = "auto"},
})

-- Detects the compression from the first bytes. gzip starts with 1f 8b. zlib's two bytes are a
-- multiple of 31 with a low half of 8; as part of a length, they would mean a record larger than
-- any file.
local function looks_compressed(start)
  if #start < 2 then return false end
  local first, second = start:byte(1, 2)
  if first == 0x1f and second == 0x8b then return true end
  if first & 0x0f ~= 8 or (first << 8 | second) % 31 ~= 0 then return false end
  if #start < HEADER_BYTES then return true end
  local length, checksum = HEADER:unpack(start)
  return engine.files.masked_crc32c(("<I8"):pack(length)) ~= checksum
end

--- Opens a file of records.
-- @tparam string path
-- @tparam[opt="auto"] string compression "gzip", "zlib", "none", or "auto": detected from the first
-- bytes
-- @treturn Reader with `read()` → the next record or nil at the end, `records()` to loop over,
-- `close()`, `path`, `count` (records read so far); close it after use
-- @raise if the file cannot be read; reading raises for a truncated record or a wrong checksum,
-- naming file and record
function tfrecord.reader(...)
  local path, compression = bind_reader(...)
  local file, why = io.open(path, "rb")
  if not file then errors.raise("tfrecord.reader: cannot read %s", why) end
  local start, problem = file:read(HEADER_BYTES)
  if not start and problem then
    file:close()
    errors.raise("tfrecord.reader: cannot read %s: %s", path, problem)
  end
  local compressed = compression ~= "none"
    and (compression ~= "auto" or looks_compressed(start or ""))
  local source = (compressed and inflated_source or plain_source)(file, path)
  return setmetatable({path = path, file = file, source = source, count = 0, position = 0}, Reader)
end

local function damaged(reader, what, ...)
  errors.raise("tfrecord.reader: %s: record %d (at byte %d): " .. what, reader.path,
    reader.count + 1, reader.position, ...)
end

local function take(reader, count, what)
  local bytes = reader.source:read(count)
  if #bytes < count then
    damaged(reader, "the file ends in its %s (%d of %d bytes)", what, #bytes, count)
  end
  return bytes
end

local function check_sum(reader, bytes, expected, what)
  local found = engine.files.masked_crc32c(bytes)
  if found ~= expected then
    damaged(reader, "the checksum of its %s is %08x, expected %08x", what, found, expected)
  end
end

--- Reads the next record.
-- @treturn ?string nil at the end of the file
function Reader:read()
  if not self.file then errors.raise("tfrecord.reader: %s is closed", self.path) end
  local header = self.source:read(HEADER_BYTES)
  if header == "" then return nil end
  if #header < HEADER_BYTES then
    damaged(self, "the file ends in its header (%d of %d bytes)", #header, HEADER_BYTES)
  end
  local length, checksum = HEADER:unpack(header)
  check_sum(self, header:sub(1, 8), checksum, "length")
  local left = self.source.size and self.source.size - self.position - HEADER_BYTES - FOOTER_BYTES
  if length < 0 or length > LONGEST or left and length > left then
    damaged(self, "its length is %u bytes, and the file has %s", length,
      left and ("%d more"):format(math.max(left, 0)) or "fewer")
  end
  local bytes = take(self, length, "content")
  check_sum(self, bytes, (("<I4"):unpack(take(self, FOOTER_BYTES, "checksum"))), "content")
  self.count = self.count + 1
  self.position = self.position + HEADER_BYTES + length + FOOTER_BYTES
  return bytes
end

--- Loops over the remaining records: `for record in reader:records() do ... end`. Closes the reader
-- at the end of the loop.
function Reader:records()
  return self.read, self, nil, self
end

function Reader:close()
  if self.file then self.file:close() end
  self.file = nil
end

function Reader:__close() self:close() end

--- Loops over the records of a file: `for record in tfrecord.records(path) do ... end`.
-- @tparam string path
-- @tparam[opt="auto"] string compression as for `tfrecord.reader`
function tfrecord.records(...)
  return tfrecord.reader(...):records()
end

---------------------------------------------------------------- tf.train.Example

local function tensor_list(value)
  if value.dtype == "bool" then value = engine.ops.cast(value, "int64") end
  return value.dtype:find "float" and "float_list" or "int64_list", value:flat()
end

local function list_kind(name, value)
  if engine.is_tensor(value) or engine.is_variable(value) then return tensor_list(value) end
  local list = type(value) == "table" and value or {value}
  local kind
  for i, item in ipairs(list) do
    local own = type(item) == "string" and "bytes_list"
      or math.type(item) == "integer" and "int64_list"
      or math.type(item) == "float" and "float_list" or nil
    local mixed = kind and own and kind ~= own and (kind == "bytes_list" or own == "bytes_list")
    if not own or mixed then
      errors.raise(
        "tfrecord.encode_example: feature '%s', item %d: expected strings or numbers of one kind, "
        .. "got %s", name, i,
        errors.describe(item))
    end
    if kind ~= "float_list" then kind = own end
  end
  return kind or "float_list", list
end

local function feature(name, value)
  local kind, list = list_kind(name, value)
  return {[kind] = {value = list}}
end

--- Encodes a sample as a `tf.train.Example`.
-- @tparam table features name → a string, a number, a list of either, or a tensor (flattened);
-- integers stay integers
-- @treturn string
-- @raise if a feature is anything else
function tfrecord.encode_example(features)
  if type(features) ~= "table" then
    errors.raise("tfrecord.encode_example: expected a table of features by name, got %s",
      errors.describe(features))
  end
  local entries = {}
  for name in pairs(features) do
    if type(name) ~= "string" then
      errors.raise("tfrecord.encode_example: names of features should be strings, got %s",
        errors.describe(name))
    end
  end
  for i, name in ipairs(lists.keys(features)) do
    entries[i] = {key = name, value = feature(name, features[name])}
  end
  return require("cusp.formats.protobuf").encode("tensorflow.Example",
    {features = {feature = entries}})
end

--- Decodes the features of a `tf.train.Example`.
-- @tparam string bytes
-- @treturn table name → a list of strings, of integers or of floats; an empty list for a feature
-- without a value
-- @raise if the bytes are not an Example
function tfrecord.decode_example(bytes)
  local example = require("cusp.formats.protobuf").decode("tensorflow.Example", bytes)
  local features = {}
  for _, entry in ipairs(example.features and example.features.feature or {}) do
    local value = entry.value or {}
    local list = value.bytes_list or value.int64_list or value.float_list
    features[entry.key] = list and list.value or {}
  end
  return features
end

return tfrecord
