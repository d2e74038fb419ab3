--- The array data after a `.npy` header: types, byte order, Fortran order, strings.
-- @module cusp.formats.numpy.array
local header = require "cusp.formats.numpy.header"

local array = {}

-- NumPy itself has no bfloat16: the package ml_dtypes writes two raw bytes.
local descriptions = {
  bool = "|b1", int8 = "|i1", uint8 = "|u1", int16 = "<i2", uint16 = "<u2", int32 = "<i4",
  uint32 = "<u4", int64 = "<i8", uint64 = "<u8",
  float16 = "<f2", bfloat16 = "<V2", float32 = "<f4", float64 = "<f8",
}

local dtypes, sizes = {}, {}
for dtype, descr in pairs(descriptions) do
  dtypes[descr:sub(2)] = dtype
  sizes[dtype] = math.tointeger(descr:sub(3))
end
dtypes["?"] = "bool"

local refused = {
  O = "it holds Python objects, which are pickled: reading them would run code from the file. "
    .. "Save arrays of numbers instead",
  c = "complex numbers have no dtype here; save their real and imaginary parts",
  M = "dates have no dtype here; save them as int64",
  m = "time spans have no dtype here; save them as int64",
  V = "its elements are raw bytes or records; save the fields as arrays of their own",
}

--- Parses a type such as "<f4": the dtype, and whether its bytes are big-endian.
-- @treturn ?string dtype; nil if it is not supported
-- @treturn boolean|string big-endian, or the reason
local function dtype_of(descr)
  if type(descr) ~= "string" then
    return nil, "it is an array of records; save the fields as arrays of their own"
  end
  local order, rest = descr:match "^([<>|=]?)(.+)$"
  local dtype = dtypes[rest]
  if dtype then return dtype, order == ">" end
  return nil, refused[(rest or ""):sub(1, 1)]
    or ("its elements are of type '%s', which has no dtype here"):format(descr)
end

--- The number of elements, unless it exceeds `most`. An axis of size 0 must not hide others whose
-- strides overflow.
local function count_of(shape, most)
  local empty, count = false, 1
  for _, size in ipairs(shape) do empty = empty or size == 0 end
  if empty then most = 1 << 56 end
  for _, size in ipairs(shape) do
    size = math.max(size, 1)
    if size > most // count then return nil end
    count = count * size
  end
  return empty and 0 or count
end

local function too_small(shape, size, available)
  local text = "its shape (%s) of elements of %d bytes does not fit into the %d bytes that follow"
  return text:format(table.concat(shape, ", "), size, available)
end

---------------------------------------------------------------- strings

local function trimmed(text) return (text:gsub("\0+$", "")) end

local function decode_unicode(bytes, order)
  local codes = {}
  for at = 1, #bytes, 4 do
    local code = string.unpack(order .. "I4", bytes, at)
    if code > 0x10FFFF then return nil end
    codes[#codes + 1] = utf8.char(code)
  end
  return trimmed(table.concat(codes))
end

local function nest(flat, shape, fortran_order)
  local strides, stride = {}, 1
  for i = 1, #shape do
    local axis = fortran_order and i or #shape + 1 - i
    strides[axis], stride = stride, stride * shape[axis]
  end
  local function level(axis, offset)
    if axis > #shape then return flat[offset + 1] end
    local list = {}
    for i = 1, shape[axis] do list[i] = level(axis + 1, offset + (i - 1) * strides[axis]) end
    return list
  end
  return level(1, 0)
end

-- Lists take memory even if shape or elements take no bytes in the file; this is the limit for such
-- lists.
local most_empty = 1 << 16

--- An array of bytes ('S') or text ('U') as nested lists of strings; a single string if it has no
-- axes.
local function read_strings(reader, facts, available, kind, length)
  local size = kind == "U" and 4 * length or length
  local count = count_of(facts.shape, size > 0 and available // size or most_empty)
  local lists = {}
  for i, axis in ipairs(facts.shape) do lists[i] = math.max(axis, 1) end
  if not count or not count_of(lists, math.max(count, most_empty)) then
    return nil, too_small(facts.shape, size, available)
  end
  local order = facts.descr:sub(1, 1) == ">" and ">" or "<"
  local flat = {}
  for i = 1, count do
    local bytes = reader:read(facts.start + (i - 1) * size, size)
    flat[i] = kind == "S" and trimmed(bytes) or kind == "U" and decode_unicode(bytes, order) or nil
    if not flat[i] then return nil, ("element %d is not Unicode"):format(i) end
  end
  return nest(flat, facts.shape, facts.fortran_order)
end

---------------------------------------------------------------- reading and writing

local function reversed(list)
  local result = {}
  for i, item in ipairs(list) do result[#list + 1 - i] = item end
  return result
end

local function read_tensor(reader, facts, available, dtype, big_endian)
  if not count_of(facts.shape, available // sizes[dtype]) then
    return nil, too_small(facts.shape, sizes[dtype], available)
  end
  if not facts.fortran_order or #facts.shape < 2 then
    return reader:tensor(facts.start, dtype, facts.shape, big_endian)
  end
  local columns = reader:tensor(facts.start, dtype, reversed(facts.shape), big_endian)
  return require("cusp.engine").ops.transpose(columns)
end

--- Reads an array from anywhere in a file.
-- @tparam userdata reader of engine.files
-- @tparam integer offset of its header
-- @tparam integer size bytes of header and data
-- @return a tensor, or nested lists of strings; nil if it cannot be read
-- @treturn ?string the reason
function array.read(reader, offset, size)
  local facts, problem = header.read(function(at, count)
    return reader:read(offset + at, count)
  end, size)
  if not facts then return nil, problem end
  facts.start = offset + facts.length
  local available = size - facts.length
  local kind, length = tostring(facts.descr):match "^[<>|=]?([SU])(%d%d?%d?%d?%d?%d?)$"
  if kind then return read_strings(reader, facts, available, kind, math.tointeger(length)) end
  local dtype, big_endian = dtype_of(facts.descr)
  if not dtype then return nil, big_endian end
  return read_tensor(reader, facts, available, dtype, big_endian)
end

--- The header for a tensor's bytes.
function array.header(tensor)
  return header.write(descriptions[tensor.dtype], tensor.shape)
end

return array
