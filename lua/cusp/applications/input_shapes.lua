--- The shape of a network's input: what is given, checked, or its default.
-- @module cusp.applications.input_shapes
local config = require "cusp.base.config"
local errors = require "cusp.base.errors"
local shapes = require "cusp.base.shape"
local warnings = require "cusp.base.warnings"

local input_shapes = {}

local None = shapes.None

local function is_channels_first() return config.image_data_format() == "channels_first" end

local function of_size(rows, columns, channels)
  if is_channels_first() then return {channels, rows, columns} end
  return {rows, columns, channels}
end

--- The height of images of that shape (without the batch).
function input_shapes.rows(shape) return shape[is_channels_first() and 2 or 1] end

local function columns(shape) return shape[is_channels_first() and 3 or 2] end

local function channels(shape) return shape[is_channels_first() and 1 or 3] end

--- The size of square images, if it is one of those that the network was trained for; else the
-- default.
-- @tparam table options of the network
-- @tparam {integer,...} sizes
-- @tparam integer default
function input_shapes.known_size(options, sizes, default)
  local shape = options.input_shape
  if not shape and options.input_tensor then
    shape = {table.unpack(options.input_tensor.shape, 2)}
  end
  if not shape or input_shapes.rows(shape) ~= columns(shape) then return default end
  for _, size in ipairs(sizes) do
    if input_shapes.rows(shape) == size then return size end
  end
  return default
end

-- A classifier, and some networks by themselves, are made for one size of images.
local function needs_size(definition, options)
  return options.include_top and not definition.any_size or definition.needs_size
end

local function check(definition, options, shape)
  local name, least = definition.name, definition.min_size
  if #shape ~= 3 then
    errors.raise("%s: input_shape should be three sizes without the batch, such as {224, 224, 3}, "
      .. "got %s", name, errors.shape(shape))
  end
  if channels(shape) ~= 3 and options.weights == "imagenet" then
    errors.raise("%s: with weights = \"imagenet\" images have 3 channels, got input_shape = %s",
      name, errors.shape(shape))
  end
  for _, size in ipairs{input_shapes.rows(shape), columns(shape)} do
    if size ~= None and size < least then
      errors.raise("%s: images should be at least %dx%d, got input_shape = %s", name, least, least,
        errors.shape(shape))
    end
  end
  if needs_size(definition, options)
    and (input_shapes.rows(shape) == None or columns(shape) == None) then
    errors.raise("%s: with include_top = true, input_shape should have no unknown size, got %s",
      name, errors.shape(shape))
  end
end

local function check_trained(definition, shape, default)
  if not shape then return end
  for i = 1, 3 do
    if shape[i] ~= default[i] then
      errors.raise("%s: with include_top = true and weights = \"imagenet\", input_shape should be "
        .. "%s, got %s", definition.name, errors.shape(default), errors.shape(shape))
    end
  end
end

--- The input shape of a network, without the batch.
-- @tparam table definition
-- @tparam table options as the user gave them
-- @treturn {integer,...}
-- @raise where the shape does not suit the network
function input_shapes.obtain(definition, options)
  local shape = options.input_shape
  local size = definition.default_size
  if type(size) == "function" then size = size(options) end
  local with_own_channels = options.weights ~= "imagenet" and shape and #shape == 3
  local default = of_size(size, size, with_own_channels and channels(shape) or 3)
  if with_own_channels and channels(shape) ~= 3 and channels(shape) ~= 1 then
    warnings.warn("%s: images usually have 1 or 3 channels, got input_shape = %s",
      definition.name, errors.shape(shape))
  end
  if options.weights == "imagenet" and needs_size(definition, options) then
    check_trained(definition, shape, default)
    return default
  end
  if not shape then return needs_size(definition, options) and default or of_size(None, None, 3) end
  check(definition, options, shape)
  return shape
end

return input_shapes
