--- Tensors as pictures.
-- @module cusp.utils.image_arrays
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local image_arrays = {}
local rows = engine.ops

local bind_image = arguments.binder("array_to_img", {
  {"x", "tensor"},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
  {"scale", "boolean", default = true}, {"dtype", "dtype", optional = true},
}, "nested")

-- From 0 for the smallest value to 255 for the largest.
local function stretched(x)
  x = rows.subtract(x, rows.min(x))
  local largest = rows.max(x)
  return rows.multiply(rows.divide(x, rows.where(rows.equal(largest, 0), 1, largest)), 255)
end

--- A tensor as a picture: uint8 `[height, width, channels]`, as `load_img` gives one.
-- @tparam tensor x `[height, width, channels]`, 1, 3 or 4 of them
-- @tparam[opt] string data_format
-- @tparam[opt=true] boolean scale whether the values are stretched to fill 0 to 255
-- @tparam[opt] string dtype in which it is computed
-- @treturn tensor
function image_arrays.array_to_img(...)
  local x, data_format, scale, dtype = bind_image(...)
  x = rows.cast(define.tensor(x), dtype or config.floatx())
  if #x.shape ~= 3 then
    errors.raise("array_to_img: expected a tensor of 3 axes (a single picture), got shape %s",
      errors.shape(x.shape))
  end
  if (data_format or config.image_data_format()) == "channels_first" then
    x = rows.transpose(x, {2, 3, 1})
  end
  local channels = x.shape[3]
  if channels ~= 1 and channels ~= 3 and channels ~= 4 then
    errors.raise("array_to_img: expected 1, 3 or 4 channels, got %d", channels)
  end
  if scale then x = stretched(x) end
  return rows.cast(x, "uint8")
end

local bind_resize = arguments.binder("smart_resize", {
  {"x", "tensor"}, {"size", "integers", rank = 2, min = 1},
  {"interpolation", "string", default = "bilinear"},
  {"data_format", "choice", choices = {"channels_last", "channels_first"},
    default = "channels_last"},
}, "nested")

-- Start and length of the part of an axis that has the wanted proportion.
local function middle(size, wanted)
  wanted = math.max(math.min(size, wanted), 1)
  local start = (size - wanted) // 2
  return {start + 1, start + wanted}
end

--- Pictures of another size without distortion: the largest part in the middle that has the
-- proportions, resized.
-- @tparam tensor x `[height, width, channels]`, or a batch of them
-- @tparam table size `{height, width}`
-- @tparam[opt="bilinear"] string interpolation
-- @tparam[opt="channels_last"] string data_format
-- @treturn tensor
function image_arrays.smart_resize(...)
  local x, size, interpolation, data_format = bind_resize(...)
  x = define.tensor(x)
  local rank = #x.shape
  if rank ~= 3 and rank ~= 4 then
    errors.raise(
      "smart_resize: expected [height, width, channels] or a batch of them, got shape %s",
      errors.shape(x.shape))
  end
  local down = data_format == "channels_last" and rank - 2 or rank - 1
  local height, width = x.shape[down], x.shape[down + 1]
  local parts = {}
  for axis = 1, rank do parts[axis] = {} end
  parts[down] = middle(height, width * size[1] // size[2])
  parts[down + 1] = middle(width, height * size[2] // size[1])
  return require("cusp.ops.image").resize(x:slice(parts), size,
    {interpolation = interpolation, data_format = data_format})
end

return image_arrays
