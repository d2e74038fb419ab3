--- Segmentation masks on pictures.
-- @module cusp.visualization.masks
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local gallery = require "cusp.visualization.gallery"
local pictures = require "cusp.visualization.pictures"

local masks = {}
local rows = engine.ops

local MOST_CLASSES = 1 << 16 -- each is a pass over the pictures

---------------------------------------------------------------- drawing

-- Keras's colours: three numbers of many bits, times the class, modulo 255.
local function palette(count)
  local colors = {}
  for i = 0, count - 1 do
    colors[i] = {i * (2 ^ 25 - 1) % 255, i * (2 ^ 15 - 1) % 255, i * (2 ^ 21 - 1) % 255}
  end
  return colors
end

-- Masks `[batch, height, width]` from those with one channel.
local function read_masks(name, given, data_format)
  local found = define.tensor(given)
  if not found.dtype:find "int" then
    errors.raise("%s: `segmentation_masks` should hold integers, got dtype %s", name, found.dtype)
  end
  if #found.shape == 3 then return found end
  found = pictures.channels_last(found, data_format)
  if #found.shape ~= 4 or found.shape[4] ~= 1 then
    errors.raise("%s: `segmentation_masks` should be [batch, height, width] or [batch, height, "
      .. "width, 1], got shape %s", name, errors.shape(found.shape))
  end
  return rows.squeeze(found, 4)
end

local function count_of(name, options, found)
  local count = options.num_classes or math.tointeger(rows.max(found):item())
  if count > MOST_CLASSES then
    errors.raise("%s: %d classes are more than the %d that are drawn", name, count, MOST_CLASSES)
  end
  return count
end

-- For each class the row of its colour; beyond the classes, the picture's own.
local function painted(name, images, found, count, colors)
  local result = images
  for class = 0, count - 1 do
    local color = colors[class]
    if color == nil then
      errors.raise("%s: `color_mapping` has no color for class %d", name, class)
    end
    pictures.color(name, "color_mapping", color)
    result = rows.where(rows.expand_dims(rows.equal(found, class), 4),
      engine.tensor({color[1], color[2], color[3]}, {dtype = "float32"}), result)
  end
  return result
end

local bind_draw = arguments.named_binder("draw_segmentation_masks", {
  {"images", "any"}, {"segmentation_masks", "any"}, {"num_classes", "integer", optional = true},
  {"color_mapping", "any", optional = true}, {"alpha", "number", default = 0.8, min = 0, max = 1},
  {"blend", "boolean", default = true}, {"ignore_index", "integer", default = -1},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
}, "nested")

--- Pictures with the classes of their pixels painted over them.
-- @param images `[batch, height, width, 3]`, numbers from 0 to 255
-- @param segmentation_masks classes of the pixels, `[batch, height, width]` or with a last axis of
-- size 1; integers
-- @tparam[opt] integer num_classes classes from 0 to this number less one are drawn; by default the
-- largest class that there is
-- @tparam[opt] table color_mapping class → red, green and blue from 0 to 255
-- @tparam[opt=0.8] number alpha how much of the colour is seen
-- @tparam[opt=true] boolean blend false: the colours alone, and float32 as a result
-- @tparam[opt=-1] integer ignore_index a class that is not drawn
-- @tparam[opt] string data_format
-- @treturn tensor `[batch, height, width, 3]`, uint8
-- @raise if `images` is no batch, or masks are not integers
function masks.draw_segmentation_masks(...)
  local name = "draw_segmentation_masks"
  local options = bind_draw(...)
  local images = rows.cast(pictures.batch(name, options.images, options.data_format), "float32")
  local found = read_masks(name, options.segmentation_masks, options.data_format)
  local count = count_of(name, options, found)
  pictures.check_mapping(name, "color_mapping", options.color_mapping)
  local drawn = painted(name, images, found, count, options.color_mapping or palette(count))
  if not options.blend then return drawn end
  drawn = rows.add(rows.multiply(images, 1 - options.alpha), rows.multiply(drawn, options.alpha))
  local valid = rows.expand_dims(rows.not_equal(found, options.ignore_index), 4)
  return rows.cast(rows.where(valid, drawn, images), "uint8")
end

---------------------------------------------------------------- a gallery

local bind_plot = arguments.named_binder("plot_segmentation_mask_gallery", {
  {"images", "any"}, {"num_classes", "integer"}, {"value_range", "list", default = {0, 255}},
  {"y_true", "any", optional = true}, {"y_pred", "any", optional = true},
  {"color_mapping", "any", optional = true}, {"blend", "boolean", default = true},
  {"alpha", "number", default = 0.8, min = 0, max = 1}, {"ignore_index", "integer", default = -1},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
  {"scale", "number", default = 2}, {"path", "string", optional = true},
  {"show", "boolean", optional = true}, {"transparent", "boolean", default = true},
  {"dpi", "number", default = 60},
}, "nested")

local function drawn_set(images, given, options)
  if given == nil then return nil end
  given = define.tensor(given)
  if #given.shape == 4 then given = pictures.channels_last(given, options.data_format) end
  return masks.draw_segmentation_masks(images, rows.cast(given, "int32"), {
    num_classes = options.num_classes, color_mapping = options.color_mapping,
    alpha = options.alpha, blend = options.blend, ignore_index = options.ignore_index,
    data_format = "channels_last",
  })
end

--- Pictures, one in each row, with their true masks, predicted ones, or both beside them.
-- @param images `[batch, height, width, 3]`
-- @tparam integer num_classes
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @param[opt] y_true masks as for `draw_segmentation_masks`
-- @param[opt] y_pred
-- @param[opt] color_mapping, blend, alpha, ignore_index as for `draw_segmentation_masks`
-- @param[opt] scale, path, show, transparent, dpi as for `plot_image_gallery`
-- @tparam[opt] string data_format
function masks.plot_segmentation_mask_gallery(...)
  local options = bind_plot(...)
  local name = "plot_segmentation_mask_gallery"
  local images = rows.cast(pictures.batch(name, options.images, options.data_format), "float32")
  local sets = {images}
  sets[#sets + 1] = drawn_set(images, options.y_true, options)
  sets[#sets + 1] = drawn_set(images, options.y_pred, options)
  for i, set in ipairs(sets) do sets[i] = rows.cast(set, "float32") end
  local shape = images.shape
  local all = rows.reshape(rows.stack(sets, 2), {-1, shape[2], shape[3], shape[4]})
  gallery.plot_image_gallery(all, {
    value_range = options.value_range, rows = shape[1], cols = #sets, scale = options.scale,
    path = options.path, show = options.show, transparent = options.transparent,
    dpi = options.dpi, data_format = "channels_last",
  })
end

return masks
