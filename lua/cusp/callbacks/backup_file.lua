--- Files of BackupAndRestore: plain Lua data with tensors in it.
--
-- A file is, little-endian: the eight bytes "CUSPBAK1"; the header's size and its CRC-32C, 8 bytes
-- each; the header, JSON text; and the tensors' elements, each tensor at a multiple of 64 bytes.
-- The header has `data` and `tensors`, a list of `dtype`, `shape`, `offset`, `size` and `crc`
-- (CRC-32C of its bytes). In `data`, a table is written as `{"table": [[key, value], ...]}`, a
-- tensor as `{"tensor": number}`, and a number that is not finite as `{"number": "nan"}`, "inf" or
-- "-inf".
-- @module cusp.callbacks.backup_file
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"

local backup_file = {}

local magic, prefix, alignment = "CUSPBAK1", 24, 64

---------------------------------------------------------------- data as JSON

local function encode(value, tensors)
  if type(value) == "userdata" then
    tensors[#tensors + 1] = value
    return {tensor = #tensors}
  end
  if type(value) == "number" and value - value ~= 0 then
    return {number = value ~= value and "nan" or value > 0 and "inf" or "-inf"}
  end
  if type(value) ~= "table" then return value end
  local entries = {}
  for key, item in next, value do
    entries[#entries + 1] = {encode(key, tensors), encode(item, tensors)}
  end
  return {table = entries}
end

local numbers = {nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge}

local function decode(value, tensors)
  if type(value) ~= "table" then return value end
  if value.tensor then return tensors[value.tensor] end
  if value.number then return numbers[value.number] end
  local result = {}
  for _, entry in ipairs(value.table) do
    result[decode(entry[1], tensors)] = decode(entry[2], tensors)
  end
  return result
end

---------------------------------------------------------------- writing

local function aligned(offset) return (offset + alignment - 1) // alignment * alignment end

local sizes = {float64 = 8, int64 = 8, uint64 = 8, float32 = 4, int32 = 4, uint32 = 4, float16 = 2,
  bfloat16 = 2, int16 = 2, uint16 = 2}

local function byte_count(tensor)
  local count = sizes[tensor.dtype] or 1
  for _, size in ipairs(tensor.shape) do count = count * size end
  return count
end

-- Offsets are relative to the end of the header, since the size of the header would otherwise
-- depend on them.
local function entries_of(tensors)
  local entries, offset = {}, 0
  for i, tensor in ipairs(tensors) do
    local size = byte_count(tensor)
    entries[i] = {
      dtype = tensor.dtype, shape = {table = tensor.shape}, offset = offset, size = size,
      crc = engine.files.crc32c(tensor),
    }
    offset = aligned(offset + size)
  end
  return entries
end

--- Writes a file atomically.
-- @tparam string path
-- @tparam table data plain Lua data and tensors
-- @tparam[opt] function before called after everything is written, before the file replaces the old
-- one
-- @raise if it cannot be written
function backup_file.save(path, data, before)
  local tensors = {}
  local encoded = encode(data, tensors)
  local entries = entries_of(tensors)
  local header = json.encode{data = encoded, tensors = {list = entries}}
  local writer <close> = engine.files.create(path)
  writer:write(magic, ("<I8I8"):pack(#header, engine.files.crc32c(header)), header)
  local first = aligned(prefix + #header)
  for i, tensor in ipairs(tensors) do
    local start = first + entries[i].offset
    writer:write(("\0"):rep(start - writer.position))
    writer:write(tensor)
  end
  if before then before() end
  writer:commit()
end

---------------------------------------------------------------- reading

local function read_header(reader, path)
  local function fail(reason)
    errors.raise("%s: %s; it is not a complete BackupAndRestore file", path, reason)
  end
  if reader.size < prefix or reader:read(0, 8) ~= magic then fail "has the wrong first bytes" end
  local size, crc = ("<I8I8"):unpack(reader:read(8, 16))
  if size < 0 or size > reader.size - prefix then fail "its header is cut off" end
  local text = reader:read(prefix, size)
  if engine.files.crc32c(text) ~= crc then fail "its header is damaged" end
  return json.decode(text), aligned(prefix + size), fail
end

--- Reads a file.
-- @tparam string path
-- @return the data
-- @raise if the file is damaged
function backup_file.load(path)
  local reader <close> = engine.files.open(path)
  local header, first, fail = read_header(reader, path)
  local tensors = {}
  for i, entry in ipairs(header.tensors.list) do
    if first + entry.offset + entry.size > reader.size then fail "it is cut off" end
    if reader:crc32c(first + entry.offset, entry.size) ~= entry.crc then
      fail(("tensor %d is damaged"):format(i))
    end
    tensors[i] = reader:tensor(first + entry.offset, entry.dtype, entry.shape.table)
  end
  return decode(header.data, tensors)
end

return backup_file
