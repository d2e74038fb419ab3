--- Tensors in ONNX's messages: as raw bytes, as lists of numbers, or in a file beside the model's.
-- @module cusp.onnx.messages.tensors
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local tensors = {}
local files = engine.files

local lists = {
  float32 = "float_data", float64 = "double_data", int64 = "int64_data", uint64 = "uint64_data",
  uint32 = "uint64_data",
}
-- in one int32 each; those of 16 bits are their bits
local bits = {float16 = "<I2", bfloat16 = "<I2"}
local packed = {float32 = "<f", float64 = "<d", int64 = "<i8", uint64 = "<i8", uint32 = "<I4",
  int32 = "<i4", int16 = "<i2", int8 = "<i1", uint16 = "<I2", uint8 = "<I1", bool = "<I1",
  float16 = "<I2", bfloat16 = "<I2"}

local function describe(proto)
  return proto.name ~= "" and ("the tensor '%s'"):format(proto.name) or "a tensor without name"
end

local function count_of(proto)
  local count = 1
  for _, size in ipairs(proto.dims) do
    if size < 0 then errors.raise("onnx: %s has a negative size %d", describe(proto), size) end
    if size ~= 0 and count > math.maxinteger // size then
      errors.raise("onnx: %s has too many elements", describe(proto))
    end
    count = count * size
  end
  return count
end

local function dtype_of(proto)
  local dtype, foreign = dtypes.name(proto.data_type)
  if dtype then return dtype end
  errors.raise("onnx: %s has elements of %s, which Cusp does not have", describe(proto), foreign)
end

local function from_list(proto, dtype, count)
  local list = proto[lists[dtype] or "int32_data"]
  if #list ~= count then
    errors.raise("onnx: %s has %d elements, its shape %s says %d", describe(proto), #list,
      errors.shape(proto.dims), count)
  end
  local format, parts = packed[dtype], {}
  local mask = bits[dtype] and 0xffff or dtype == "uint32" and 0xffffffff
  for i, value in ipairs(list) do
    parts[i] = string.pack(format, mask and value & mask or value)
  end
  return files.tensor_from_string(table.concat(parts), dtype, proto.dims)
end

---------------------------------------------------------------- other files

local function external_entries(proto)
  local entries = {}
  for _, entry in ipairs(proto.external_data) do entries[entry.key] = entry.value end
  return entries
end

-- Only names inside the model's folder: no absolute path, and no step up.
local function check_location(proto, location)
  local inside = location ~= nil and location ~= "" and not location:find "[%z\\]"
    and not location:find "^/" and not location:find "^%a:"
  for part in (location or ""):gmatch "[^/]+" do inside = inside and part ~= ".." end
  if inside then return location end
  errors.raise("onnx: %s is in the file %s, which is not in the model's folder", describe(proto),
    errors.describe(location))
end

-- A link in the folder may lead out of it.
local function open_inside(proto, folder, location)
  local path = folder .. "/" .. location
  local real, home = files.real_path(path), files.real_path(folder)
  if real and home and home ~= "/" and real:sub(1, #home + 1) ~= home .. "/" then
    errors.raise("onnx: %s is in the file '%s', a link out of the model's folder", describe(proto),
      location)
  end
  return files.open(path)
end

local function number_of(proto, entries, key, default)
  if entries[key] == nil then return default end
  local value = math.tointeger(plain.tonumber(entries[key]))
  if value and value >= 0 then return value end
  errors.raise("onnx: %s: %s should be a count of bytes, got %s", describe(proto), key,
    errors.describe(entries[key]))
end

local function from_file(proto, dtype, count, folder)
  local entries = external_entries(proto)
  local location = check_location(proto, entries.location)
  if not folder then
    errors.raise("onnx: %s is in the file '%s', and this model has no folder", describe(proto),
      location)
  end
  local expected = count * dtypes.bytes[dtype]
  local length = number_of(proto, entries, "length", expected)
  if length ~= expected then
    errors.raise("onnx: %s takes %d bytes, but %d are stored in '%s'", describe(proto), expected,
      length, location)
  end
  local reader <close> = open_inside(proto, folder, location)
  return reader:tensor(number_of(proto, entries, "offset", 0), dtype, proto.dims)
end

local function check_length(proto, dtype, count, length)
  if length == count * dtypes.bytes[dtype] then return end
  errors.raise("onnx: %s has %d bytes, its shape %s says %d", describe(proto), length,
    errors.shape(proto.dims), count * dtypes.bytes[dtype])
end

-- From the model's own file, where its bytes were left.
local function from_place(proto, dtype, count)
  local place = proto.place
  check_length(proto, dtype, count, place.length)
  return place.reader:tensor(place.offset, dtype, proto.dims)
end

---------------------------------------------------------------- both ways

--- The tensor of a message.
-- @tparam table proto a decoded onnx.TensorProto
-- @tparam[opt] string folder of the model's file, for data in other files
-- @treturn tensor
-- @raise if the elements do not fit the shape, or Cusp does not have their type
function tensors.decode(proto, folder)
  local dtype, count = dtype_of(proto), count_of(proto)
  if dtype == "string" then
    if #proto.string_data ~= count then
      errors.raise("onnx: %s has %d texts, its shape says %d", describe(proto),
        #proto.string_data, count)
    end
    return engine.tensor(proto.string_data, {dtype = "string", shape = proto.dims})
  end
  if proto.data_location == 1 then return from_file(proto, dtype, count, folder) end
  if proto.place then return from_place(proto, dtype, count) end
  if proto.raw_data == "" then return from_list(proto, dtype, count) end
  check_length(proto, dtype, count, #proto.raw_data)
  return files.tensor_from_string(proto.raw_data, dtype, proto.dims)
end

--- The message of a tensor.
-- @tparam string name
-- @tparam tensor tensor
-- @treturn table
function tensors.encode(name, tensor)
  local dims = {}
  for i, size in ipairs(tensor.shape) do dims[i] = size end
  return {name = name, dims = dims, data_type = dtypes.number(tensor.dtype),
    raw_data = tensor:tobytes()}
end

return tensors
