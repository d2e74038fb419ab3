--- safetensors: named tensors behind a header in JSON, without code. The header's length is 8
-- bytes, little-endian; the tensors follow it without gaps or overlaps, row-major and
-- little-endian.
-- @module cusp.formats.safetensors
-- @usage
-- local safetensors = require("cusp").safetensors
-- safetensors.save("x.safetensors", {kernel = cusp.ones{2, 3}}, {format = "cusp"})
-- local tensors, metadata = safetensors.load "x.safetensors"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local gathering = require "cusp.base.gathering"
local shapes = require "cusp.base.shape"

local safetensors = {}

-- The largest header that the format allows.
local most_header = 100000000
local metadata_name = "__metadata__"

local dtypes, names, sizes = {}, {}, {}
for code, row in pairs{
  F64 = {"float64", 8}, F32 = {"float32", 4}, F16 = {"float16", 2}, BF16 = {"bfloat16", 2},
  I64 = {"int64", 8}, I32 = {"int32", 4}, I16 = {"int16", 2}, I8 = {"int8", 1},
  U64 = {"uint64", 8}, U32 = {"uint32", 4}, U16 = {"uint16", 2}, U8 = {"uint8", 1},
  BOOL = {"bool", 1},
} do
  dtypes[code], sizes[code], names[row[1]] = row[1], row[2], code
end

---------------------------------------------------------------- reading

-- An entry's fault, in words, or nil.
local function entry_fault(entry, available)
  if not ordered.is_object(entry) then return "is not an object" end
  local code, shape, offsets = entry.dtype, entry.shape, entry.data_offsets
  if not dtypes[code] then
    return ("has dtype %s, which tensors here do not have"):format(errors.describe(code))
  end
  if type(shape) ~= "table" or ordered.is_object(shape) then return "has no list as shape" end
  local bytes = sizes[code]
  for _, size in ipairs(shape) do
    if math.type(size) ~= "integer" or size < 0 then return "has a shape that is none" end
    bytes = size == 0 and 0 or bytes <= available // size and bytes * size or available + 1
  end
  local first, last = table.unpack(type(offsets) == "table" and offsets or {}, 1, 2)
  if math.type(first) ~= "integer" or math.type(last) ~= "integer" or #offsets ~= 2 then
    return "has no pair of integers as data_offsets"
  end
  if first < 0 or last > available or first > last then return "lies outside the file" end
  if last - first ~= bytes then
    return ("has %d bytes, but its shape and dtype need %d"):format(last - first, bytes)
  end
end

local function metadata_fault(metadata)
  if type(metadata) ~= "table" or #metadata > 0 then return "is not an object" end
  for key, value in next, metadata do
    if type(value) ~= "string" or type(key) ~= "string" then
      return "holds a value that is no string"
    end
  end
end

-- The header's tensors in the order of their places, and its metadata.
local function entries_of(path, header, available)
  local list, metadata = {}, {}
  for _, name in ipairs(ordered.keys(header)) do
    local entry = header[name]
    local is_metadata = name == metadata_name
    local fault = is_metadata and metadata_fault(entry)
      or not is_metadata and entry_fault(entry, available)
    if fault then errors.raise("%s: '%s' %s", path, name, fault) end
    if is_metadata then metadata = entry else
      list[#list + 1] = {name = name, dtype = dtypes[entry.dtype],
        shape = {table.unpack(entry.shape)}, first = entry.data_offsets[1],
        last = entry.data_offsets[2]}
    end
  end
  table.sort(list, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    if a.last ~= b.last then return a.last < b.last end
    return plain.less(a.name, b.name)
  end)
  return list, metadata
end

-- Every byte belongs to one tensor.
local function check_places(path, list, available)
  local stop = 0
  for _, entry in ipairs(list) do
    if entry.first ~= stop then
      errors.raise("%s: '%s' begins at byte %d of the tensors instead of %d: they overlap, or "
        .. "there is a gap", path, entry.name, entry.first, stop)
    end
    stop = entry.last
  end
  if stop ~= available then
    errors.raise("%s: %d bytes after the header belong to no tensor", path, available - stop)
  end
end

-- JSON keeps the last of two entries of one name; each has its offsets once.
local function check_names(path, text, count)
  local _, found = text:gsub('"data_offsets"%s*:%s*%[', "")
  if found > count then errors.raise("%s: its header names a tensor twice", path) end
end

local function read_header(path, reader)
  if reader.size < 8 then
    errors.raise("%s: is no safetensors file: it has %d bytes", path, reader.size)
  end
  local length = ("<I8"):unpack(reader:read(0, 8))
  if length < 2 or length > most_header or length > reader.size - 8 then
    errors.raise("%s: is no safetensors file: its first 8 bytes say a header of %s bytes, the file "
      .. "has %d", path, ("%u"):format(length), reader.size)
  end
  local text = reader:read(8, length)
  if text:byte() ~= 123 then
    errors.raise("%s: is no safetensors file: its header is not a JSON object", path)
  end
  local ok, header = engine.attempt(json.decode, text)
  if not ok then errors.raise("%s: its header: %s", path, header) end
  local list, metadata = entries_of(path, header, reader.size - 8 - length)
  check_places(path, list, reader.size - 8 - length)
  check_names(path, text, #list)
  return list, metadata, 8 + length
end

local File = {}
File.__index = File

--- Opens a file: its header is read and checked, its tensors are read by `file:read(name)`.
-- @tparam string path
-- @treturn table `path`, `metadata`: strings by name, `entries`: `{name =, dtype =, shape =}` in
-- the order of the file and by name, `read(name)`, `close()`
-- @raise for a file that is damaged or of another kind, or has a dtype that tensors cannot have
function safetensors.open(path)
  local reader = engine.files.open(path)
  local entries, metadata, start = read_header(path, reader)
  for i = 1, #entries do entries[entries[i].name] = entries[i] end
  return setmetatable({path = path, entries = entries, metadata = metadata, start = start,
    reader = reader}, File)
end

function File:read(name)
  local entry = self.entries[name]
  return self.reader:tensor(self.start + entry.first, entry.dtype, entry.shape)
end

function File:close() self.reader:close() end
File.__close = File.close

--- Reads the tensors of a file.
-- @tparam string path
-- @treturn table tensors by name
-- @treturn table the metadata: strings by name
-- @raise for a file that is damaged, or has a dtype that tensors cannot have
function safetensors.load(path)
  local file <close> = safetensors.open(path)
  local result = {}
  for _, entry in ipairs(file.entries) do result[entry.name] = file:read(entry.name) end
  return result, file.metadata
end

---------------------------------------------------------------- writing

local function check_tensor(path, name, tensor)
  if type(name) ~= "string" or name == metadata_name or not utf8.len(name) then
    errors.raise("%s: a tensor's name should be UTF-8 and not \"%s\", got %s", path, metadata_name,
      errors.describe(name))
  end
  if not engine.is_tensor(tensor) and not engine.is_variable(tensor)
    or tensor.dtype == "string" then
    errors.raise("%s: '%s' is %s; safetensors hold tensors of numbers by name", path, name,
      errors.describe(tensor))
  end
  local kept = gathering.kept(tensor)
  return engine.is_variable(kept) and kept.value or kept
end

-- Wide numbers first, so that each lies at a multiple of its size.
local function sorted(path, tensors)
  local list = {}
  for name, given in next, tensors do
    local tensor = check_tensor(path, name, given)
    list[#list + 1] = {name = name, tensor = tensor, code = names[tensor.dtype]}
  end
  table.sort(list, function(a, b)
    if sizes[a.code] ~= sizes[b.code] then return sizes[a.code] > sizes[b.code] end
    return plain.less(a.name, b.name)
  end)
  return list
end

local function header_of(path, list, metadata)
  local header, stop = ordered.object{}, 0
  if next(metadata) then
    local fault = metadata_fault(metadata)
    if fault then errors.raise("%s: its metadata %s", path, fault) end
    ordered.set(header, metadata_name, json.object(ordered.copy(metadata)))
  end
  for _, entry in ipairs(list) do
    local bytes, shape = sizes[entry.code], {table.unpack(entry.tensor.shape)}
    bytes = bytes * shapes.size(shape)
    ordered.set(header, entry.name, json.object({dtype = entry.code, shape = shape,
      data_offsets = {stop, stop + bytes}}, {"dtype", "shape", "data_offsets"}))
    stop = stop + bytes
  end
  local text = json.encode(header)
  return text .. (" "):rep(-#text % 8)
end

--- Writes tensors.
-- @tparam string path
-- @tparam table tensors tensors or variables by name
-- @tparam[opt] table metadata strings by name
-- @raise for values that are no tensors; if the file cannot be written, in which case the old one
-- is unchanged
function safetensors.save(path, tensors, metadata)
  local is_table = type(tensors) == "table"
    and (getmetatable(tensors) == nil or ordered.is_object(tensors))
  if not is_table then
    errors.raise("safetensors.save: %s: expected a table of tensors by name, got %s", path,
      errors.describe(tensors))
  end
  local list = sorted(path, tensors)
  local header = header_of(path, list, metadata or {})
  local writer <close> = engine.files.create(path)
  writer:write(("<I8"):pack(#header), header)
  for _, entry in ipairs(list) do
    gathering.with(entry.tensor, function(tensor) writer:write(tensor) end)
  end
  writer:commit()
end

return safetensors
