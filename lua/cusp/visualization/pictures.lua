--- Batches of pictures, on their way to a canvas and back.
-- @module cusp.visualization.pictures
local config = require "cusp.base.config"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local native = require "cusp.base.native"
local plain = require "cusp.base.plain"

local pictures = {}
local rows = engine.ops

--- A batch of pictures with its channels last.
-- @tparam string name of the function that was given it
-- @param images `[batch, height, width, channels]`, or with channels first
-- @tparam ?string data_format
-- @treturn tensor
function pictures.batch(name, images, data_format)
  images = define.tensor(images)
  if #images.shape ~= 4 then
    errors.raise("%s: `images` should be a batch of pictures, [batch, height, width, channels]; "
      .. "got shape %s", name, errors.shape(images.shape))
  end
  return pictures.channels_last(images, data_format)
end

local function is_first(data_format)
  return (data_format or config.image_data_format()) == "channels_first"
end

--- A batch with its channels last.
function pictures.channels_last(images, data_format)
  return is_first(data_format) and rows.transpose(images, {1, 3, 4, 2}) or images
end

--- A batch in the format that was given.
function pictures.as_given(images, data_format)
  return is_first(data_format) and rows.transpose(images, {1, 4, 2, 3}) or images
end

--- Raises unless pictures have one channel or three.
function pictures.check_channels(name, images)
  local channels = images.shape[4]
  if channels ~= 1 and channels ~= 3 then
    errors.raise("%s: pictures should have 1 or 3 channels, got %d", name, channels)
  end
end

--- The bytes of picture `i`, three for each pixel.
function pictures.bytes(images, i)
  local picture = rows.cast(images[i], "uint8")
  if picture.shape[3] == 1 then picture = rows["repeat"](picture, 3, 3) end
  return picture:tobytes()
end

local MOST_PIXELS = 20000 -- of a side

--- A canvas of so many pixels.
function pictures.canvas(name, width, height, scale)
  local wide, high = width * (scale or 1), height * (scale or 1)
  if not (wide >= 1 and wide <= MOST_PIXELS and high >= 1 and high <= MOST_PIXELS) then
    errors.raise("%s: the whole would be %s x %s pixels, but a side has from 1 to %d", name,
      plain.format("%.0f", wide), plain.format("%.0f", high), MOST_PIXELS)
  end
  return native.load("cairo", name).canvas("png", width, height, scale)
end

--- What is on a canvas, `[height, width, 3]` of uint8.
function pictures.of_canvas(canvas)
  local bytes, columns, lines = canvas:pixels()
  return engine.files.tensor_from_string(bytes, "uint8", {lines, columns, 3})
end

--- A colour of 0 to 255 as a canvas has it.
function pictures.color(name, argument, color)
  local parts = {}
  for i = 1, 3 do
    local part = type(color) == "table" and color[i] or nil
    if type(part) ~= "number" then
      errors.raise("%s: `%s` should be red, green and blue from 0 to 255, such as {255, 0, 0}; "
        .. "got %s", name, argument, errors.describe(color))
    end
    parts[i] = part / 255
  end
  return parts
end

--- Raises where what is given for each class is no table.
-- @tparam string name of the function
-- @tparam string argument
-- @param mapping nil: there is none
function pictures.check_mapping(name, argument, mapping)
  if mapping == nil or kinds.is_plain(mapping) then return end
  errors.raise("%s: argument '%s' should be a table by class, from 0, got %s", name, argument,
    errors.describe(mapping))
end

return pictures
