--- Converts values to the tensors of summaries: text, images and sound.
-- @module cusp.summary.encode
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local encode = {}
local rows = engine.ops

--- A shape in protobuf's form.
function encode.shape(shape)
  local dims = {}
  for i, size in ipairs(shape) do dims[i] = {size = size} end
  return {dim = dims}
end

--- A float32 scalar.
function encode.scalar(value)
  return {dtype = "DT_FLOAT", tensor_shape = {}, float_val = {value}}
end

--- Strings with a shape.
function encode.strings(list, shape)
  return {dtype = "DT_STRING", tensor_shape = encode.shape(shape), string_val = list}
end

--- Elements given as bytes.
function encode.content(dtype, shape, bytes)
  return {dtype = dtype, tensor_shape = encode.shape(shape), tensor_content = bytes}
end

-- Appends the strings of a nested list to `flat`; the shape comes from the first items, and the
-- others must match.
local function append_strings(owner, value, flat, shape, depth)
  if type(value) == "string" then
    if shape[depth] then errors.raise("%s: expected lists of one depth", owner) end
    flat[#flat + 1] = value
    return
  end
  if type(value) ~= "table" then
    errors.raise("%s: expected a string or lists of strings, got %s", owner, errors.describe(value))
  end
  shape[depth] = shape[depth] or #value
  if shape[depth] ~= #value then
    errors.raise("%s: expected rows of %d strings, got one of %d", owner, shape[depth], #value)
  end
  for _, item in ipairs(value) do append_strings(owner, item, flat, shape, depth + 1) end
end

--- A string, or a nested list of strings, as a tensor.
function encode.text(owner, value)
  local flat, shape = {}, {}
  append_strings(owner, value, flat, shape, 1)
  return encode.strings(flat, shape)
end

local function check_rank(owner, data, rank, axes)
  if #data.shape ~= rank then
    errors.raise("%s: expected %s, got %s", owner, axes, errors.describe(data))
  end
end

-- Pixels as 8 bits: floats from 0 to 1 are scaled and clipped; 8-bit integers are unchanged.
local function to_bytes(owner, data)
  if data.dtype == "uint8" then return data end
  if data.dtype == "bool" then return rows.multiply(rows.cast(data, "uint8"), 255) end
  if not data.dtype:find "float" then
    errors.raise("%s: expected uint8 (0 to 255) or floats (0 to 1), got %s", owner, data.dtype)
  end
  local scaled = rows.multiply(rows.nan_to_num(rows.cast(data, "float32")), 255.5)
  return rows.cast(rows.clip(scaled, 0, 255), "uint8")
end

--- Encodes images as PNG.
-- @tparam string owner for messages
-- @tparam tensor data `[images, height, width, channels]`, 1 to 4 channels, uint8 or floats from 0
-- to 1
-- @tparam integer most how many at most
-- @treturn table tensor of strings: width, height, each picture
function encode.images(owner, data, most)
  check_rank(owner, data, 4, "a tensor [images, height, width, channels]")
  local count, height, width, channels = table.unpack(data.shape)
  if channels < 1 or channels > 4 then
    errors.raise("%s: expected 1 to 4 channels, got %s", owner, errors.describe(data))
  end
  count = math.min(count, most)
  local strings = {tostring(width), tostring(height)}
  if count > 0 and height > 0 and width > 0 then
    local png = require("cusp.base.native").load("png", owner)
    local bytes, size = to_bytes(owner, data:slice{{1, count}}):tobytes(), height * width * channels
    for i = 1, count do
      strings[i + 2] = png.encode(bytes:sub((i - 1) * size + 1, i * size), width, height, channels)
    end
  end
  return encode.strings(strings, {#strings})
end

-- A WAV file of 16-bit samples: a header of 44 bytes, then the samples, interleaved by channel.
local function wave(samples, channels, rate)
  return ("<c4I4c4c4I4I2I2I4I4I2I2c4I4"):pack("RIFF", 36 + #samples, "WAVE", "fmt ", 16, 1,
    channels, rate, rate * channels * 2,
    channels * 2, 16, "data", #samples) .. samples
end

--- Encodes sounds as WAV.
-- @tparam string owner for messages
-- @tparam tensor data `[clips, frames, channels]`, floats from -1 to 1
-- @tparam integer rate frames per second
-- @tparam integer most how many at most
-- @treturn table tensor of strings `[clips, 2]`: the sound and an empty label
function encode.audio(owner, data, rate, most)
  check_rank(owner, data, 3, "a tensor [clips, frames, channels]")
  local count, frames, channels = table.unpack(data.shape)
  count = math.min(count, most)
  local strings = {}
  if count > 0 then
    local scaled = rows.multiply(rows.nan_to_num(rows.cast(data:slice{{1, count}}, "float32")),
      32768)
    local bytes, size = rows.cast(rows.clip(scaled, -32768, 32767), "int16"):tobytes(),
      frames * channels * 2
    for i = 1, count do
      strings[2 * i - 1] = wave(bytes:sub((i - 1) * size + 1, i * size), channels, rate)
      strings[2 * i] = ""
    end
  end
  return encode.strings(strings, {count, 2})
end

return encode
