--- Sorted string tables: the format of a checkpoint's `.index` file. It is LevelDB's format,
-- described in its doc/table_format.md.
--
-- A file consists of blocks and a footer. A block has entries (number of key bytes shared with the
-- previous entry, the rest of the key, the value), the offsets of the entries that share nothing, a
-- byte for the compression, and a masked CRC-32C. The footer refers to the index block, whose
-- values refer to the data blocks.
-- @module cusp.saving.checkpoint.sorted_table

local errors = require "cusp.base.errors"
local files = require "cusp.engine".files
local plain = require "cusp.base.plain"

local sorted_table = {}

local magic <const> = "\x57\xfb\x80\x8b\x24\x75\x47\xdb"
local footer_size <const> = 48
local trailer_size <const> = 5
local block_size <const> = 262144 -- TensorFlow's for checkpoints; a larger block is begun anew
local restart_interval <const> = 16
-- bytes; keys share bytes with their predecessors, so a small file could request much memory
local longest_key <const> = 1 << 16
local most_key_bytes <const> = 1 << 27

local function fail(where, offset, format, ...)
  errors.raise("%s: offset %d: " .. format, where, offset, ...)
end

---------------------------------------------------------------- integers of variable length

--- Encodes a nonnegative integer in groups of 7 bits, least significant first.
-- @tparam integer value
-- @treturn string
function sorted_table.varint(value)
  local bytes = {}
  while value > 127 do
    bytes[#bytes + 1] = value & 127 | 128
    value = value >> 7
  end
  bytes[#bytes + 1] = value
  return string.char(table.unpack(bytes))
end
local varint = sorted_table.varint

--- Reads an integer at a position.
-- @treturn integer|nil nil if the bytes end or the value is 2^63 or more
-- @treturn integer the position after it
function sorted_table.read_varint(bytes, position)
  local value = 0
  for shift = 0, 56, 7 do
    local byte = bytes:byte(position)
    if not byte then return nil end
    position = position + 1
    value = value | (byte & 127) << shift
    if byte < 128 then return value, position end
  end
  return nil
end
local read_varint = sorted_table.read_varint

---------------------------------------------------------------- reading

local function read_handle(bytes, position)
  local offset, size
  offset, position = read_varint(bytes, position)
  if not offset then return nil end
  size, position = read_varint(bytes, position)
  return offset, size, position
end

--- The contents of a block, after checking checksum and compression.
local function read_block(reader, offset, size)
  local limit = reader.size - footer_size - trailer_size
  if size > limit or offset > limit - size then
    fail(reader.path, offset,
      "expected a block of %d bytes there, but the file has only %d bytes", size, reader.size)
  end
  local bytes = reader:read(offset, size + trailer_size)
  local compression, expected = string.unpack("<BI4", bytes, size + 1)
  if files.masked_crc32c(bytes:sub(1, size + 1)) ~= expected then
    fail(reader.path, offset,
      "the checksum of the block of %d bytes there does not match: the file is damaged", size)
  end
  if compression ~= 0 then
    fail(reader.path, offset,
      "the block is compressed (%s); TensorFlow writes checkpoints uncompressed, and only those "
      .. "can be read",
      compression == 1 and "snappy" or "type " .. compression)
  end
  return bytes:sub(1, size)
end

local function entries_end(block, where, offset)
  local restarts = #block >= 4 and string.unpack("<I4", block, #block - 3)
  if not restarts or restarts > (#block - 4) // 4 then
    fail(where, offset, "the block is too short for its list of restart points")
  end
  return #block - 4 - 4 * restarts
end

--- Reads one entry's three lengths at a position.
local function read_lengths(block, position)
  local shared, rest, size
  shared, position = read_varint(block, position)
  if not shared then return nil end
  rest, position = read_varint(block, position)
  if not rest then return nil end
  size, position = read_varint(block, position)
  return shared, rest, size, position
end

--- Calls `visit(key, value)` for each entry of a block.
local function each_entry(block, where, offset, visit)
  local stop, position, key = entries_end(block, where, offset), 1, ""
  while position <= stop do
    local shared, rest, size, start = read_lengths(block, position)
    if not size then fail(where, offset + position - 1, "an entry's lengths cannot be read") end
    if shared > #key or rest > stop - start + 1 or size > stop - start + 1 - rest then
      fail(where, offset + position - 1,
        "an entry claims %d + %d bytes of key and %d of value, more than there are", shared,
        rest,
        size)
    end
    if shared + rest > longest_key then
      fail(where, offset + position - 1, "a key of %d bytes; at most %d are accepted",
        shared + rest, longest_key)
    end
    key = key:sub(1, shared) .. block:sub(start, start + rest - 1)
    position = start + rest + size
    visit(key, block:sub(start + rest, position - 1), offset + start - 1)
  end
end

local function read_footer(reader)
  if reader.size < footer_size then
    errors.raise(
      "%s: %d bytes are too few for a checkpoint's index, which ends in %d bytes of footer",
      reader.path, reader.size,
      footer_size)
  end
  local offset = reader.size - footer_size
  local footer = reader:read(offset, footer_size)
  if footer:sub(-8) ~= magic then
    fail(reader.path, reader.size - 8,
      "not a checkpoint's index: its last bytes are not those of a sorted string table")
  end
  local _, meta_size, position = read_handle(footer, 1)
  local index_offset, index_size
  if meta_size then index_offset, index_size = read_handle(footer, position) end
  if not index_size then fail(reader.path, offset, "the footer cannot be read") end
  return index_offset, index_size
end

--- Reads a table. Keys must be in ascending order and blocks consecutive, as every writer leaves
-- them. Other files are refused, as are those with more than 128 MB of keys.
-- @tparam string path
-- @treturn {table,...} `key`, `value`
-- @raise naming the file, the offset and the fault
function sorted_table.read(path)
  local reader <close> = files.open(path)
  local result, last_key, free, key_bytes = {}, nil, 0, 0
  local function add(key, value, offset)
    if last_key and not plain.less(last_key, key) then
      fail(path, offset, "the keys are not in order")
    end
    key_bytes = key_bytes + #key
    if key_bytes > most_key_bytes then
      fail(path, offset, "the keys take more than %d bytes", most_key_bytes)
    end
    result[#result + 1], last_key = {key = key, value = value}, key
  end
  local function add_block(_, handle, place)
    local offset, size, position = read_handle(handle, 1)
    if not size or position ~= #handle + 1 then
      fail(path, place, "the place of a block cannot be read")
    end
    if offset < free then
      fail(path, place, "the block at %d lies within the one before it", offset)
    end
    local block = read_block(reader, offset, size)
    free = offset + size + trailer_size
    each_entry(block, path, offset, add)
  end
  local index_offset, index_size = read_footer(reader)
  each_entry(read_block(reader, index_offset, index_size), path, index_offset, add_block)
  return result
end

---------------------------------------------------------------- writing

local Block = {}
Block.__index = Block

local function new_block(interval)
  return setmetatable({interval = interval, parts = {}, bytes = 0, restarts = {}, since = interval,
    key = ""}, Block)
end

local function shared_prefix(a, b)
  local n = 0
  while n < #a and n < #b and a:byte(n + 1) == b:byte(n + 1) do n = n + 1 end
  return n
end

function Block:add(key, value)
  local shared = 0
  if self.since == self.interval then
    self.restarts[#self.restarts + 1], self.since = self.bytes, 0
  else
    shared = shared_prefix(self.key, key)
  end
  local part = varint(shared) .. varint(#key - shared) .. varint(#value) .. key:sub(shared + 1)
    .. value
  self.parts[#self.parts + 1], self.bytes = part, self.bytes + #part
  self.since, self.key = self.since + 1, key
end

function Block:size() return self.bytes + 4 * #self.restarts + 4 end

function Block:finish()
  if #self.restarts == 0 then self.restarts[1] = 0 end
  for _, offset in ipairs(self.restarts) do
    self.parts[#self.parts + 1] = string.pack("<I4", offset)
  end
  self.parts[#self.parts + 1] = string.pack("<I4", #self.restarts)
  return table.concat(self.parts)
end

--- The shortest key from `key` on that sorts before `limit` (nil: no limit), which is enough for an
-- index.
local function shorten(key, limit)
  local at = limit and shared_prefix(key, limit) or 0
  if at >= #key or limit and at >= #limit then return key end
  local byte = key:byte(at + 1)
  if limit then
    return byte < 255 and byte + 1 < limit:byte(at + 1) and key:sub(1, at) .. string.char(byte + 1)
      or key
  end
  local start, first = key:find "[^\xff]"
  return start and key:sub(1, start - 1) .. string.char(key:byte(first) + 1) or key
end

--- Writes a table.
-- @tparam {table,...} entries `key`, `value`; this function sorts them by key
-- @treturn string the file's bytes, the same as TensorFlow's for the same entries
function sorted_table.write(entries)
  local sorted = table.move(entries, 1, #entries, 1, {})
  plain.sort(sorted, function(a, b) return a.key < b.key end)
  local out, position, index = {}, 0, new_block(1)
  local function put(block)
    local contents = block:finish() .. "\0"
    local handle = varint(position) .. varint(#contents - 1)
    out[#out + 1] = contents .. string.pack("<I4", files.masked_crc32c(contents))
    position = position + #out[#out]
    return handle
  end
  local block = new_block(restart_interval)
  for i, entry in ipairs(sorted) do
    block:add(entry.key, entry.value)
    local following = sorted[i + 1]
    if block:size() >= block_size or not following then
      index:add(shorten(entry.key, following and following.key), put(block))
      block = new_block(restart_interval)
    end
  end
  local handles = put(new_block(restart_interval)) .. put(index)
  out[#out + 1] = handles .. ("\0"):rep(footer_size - #magic - #handles) .. magic
  return table.concat(out)
end

return sorted_table
