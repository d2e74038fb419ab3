--- Bounding boxes on pictures.
-- @module cusp.visualization.boxes
local arguments = require "cusp.base.arguments"
local convert_format = require("cusp.utils.bounding_boxes").convert_format
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local gallery = require "cusp.visualization.gallery"
local kinds = require "cusp.base.kinds"
local pictures = require "cusp.visualization.pictures"
local plain = require "cusp.base.plain"

local boxes = {}
local rows = engine.ops

local FONT = 28    -- height of a font of scale 1, in pixels
local MISSING = -1 -- the label of a box that is none

---------------------------------------------------------------- drawing

-- The four sides of a rectangle, `thickness` pixels wide; filled if that is negative.
local function draw_rectangle(canvas, box, color, thickness)
  local x1, y1, x2, y2 = table.unpack(box)
  x1, x2, y1, y2 = math.min(x1, x2), math.max(x1, x2), math.min(y1, y2), math.max(y1, y2)
  if thickness < 0 then return canvas:rectangle(x1, y1, x2 - x1 + 1, y2 - y1 + 1, color) end
  local half = thickness // 2
  local left, top, width, height = x1 - half, y1 - half, x2 - x1 + thickness, y2 - y1 + thickness
  canvas:rectangle(left, top, width, thickness, color)
  canvas:rectangle(left, y2 - half, width, thickness, color)
  canvas:rectangle(left, top, thickness, height, color)
  canvas:rectangle(x2 - half, top, thickness, height, color)
end

-- Above the box, or within it where there is no room.
local function place_of_text(x, y, font_scale, thickness)
  local height = math.floor(font_scale * 12)
  if y - 8 - 2 * height > 0 then return x, y - 8 end
  return x + 3, y + 2 * height + thickness + 3
end

local function draw_label(canvas, box, text, options)
  local x, y = place_of_text(box[1], box[2], options.font_scale, options.text_thickness)
  canvas:text(x, y, text, FONT * options.font_scale, options.canvas_color, 0,
    options.text_thickness > 1)
end

local function label_of(options, class, confidence)
  local label = options.class_mapping and options.class_mapping[class]
  if label == nil then return nil end
  label = tostring(label)
  return confidence and label .. " | " .. plain.format("%.2f", confidence) or label
end

local function draw_on(images, i, found, options)
  local height, width = images.shape[2], images.shape[3]
  local canvas <close> = pictures.canvas("draw_bounding_boxes", width, height)
  canvas:image(pictures.bytes(images, i), width, height, 0, 0, width, height)
  for k, box in ipairs(found.boxes[i]) do
    local class = math.tointeger(found.labels[i][k]) or math.floor(found.labels[i][k])
    if class ~= MISSING then
      draw_rectangle(canvas, box, options.canvas_color, options.line_thickness)
      local label = label_of(options, class, found.confidences and found.confidences[i][k])
      if label then draw_label(canvas, box, label, options) end
    end
  end
  local drawn = pictures.of_canvas(canvas)
  return images.shape[4] == 1 and drawn:slice{"...", {1, 1}} or drawn
end

-- From 0 to 255; pictures of numbers up to 1 are taken to be from 0 to 1.
local function as_bytes(images)
  if images.dtype:find "float" then
    local largest = rows.max(images):item()
    images = rows.clip(images, 0, largest <= 1 and 1 or 255)
    if largest <= 1 then images = rows.multiply(images, 255) end
  end
  return rows.cast(images, "uint8")
end

local function check_boxes(name, found)
  if not kinds.is_plain(found) or found.boxes == nil or found.labels == nil then
    errors.raise("%s: boxes should be a table with the fields `boxes` [batch, boxes, 4] and "
      .. "`labels` [batch, boxes], got %s", name, errors.describe(found))
  end
end

-- Numbers of boxes, `[batch, boxes]`, as a Lua table.
local function read_numbers(name, field, value, corners)
  if value == nil then return nil end
  local numbers, batch, count = define.tensor(value), corners.shape[1], corners.shape[2]
  if #numbers.shape ~= 2 or numbers.shape[1] ~= batch or numbers.shape[2] ~= count
    or numbers.dtype == "string" then
    errors.raise("%s: `%s` should be numbers [batch, boxes], here [%d, %d], got %s", name, field,
      batch, count, errors.describe(value))
  end
  return numbers:tolist()
end

-- The boxes in whole pixels, their labels and confidences, as Lua tables.
local function read_boxes(name, found, format, images)
  local corners = convert_format({boxes = found.boxes}, format, "xyxy", images.shape[2],
    images.shape[3]).boxes
  if #corners.shape ~= 3 or corners.shape[1] ~= images.shape[1] then
    errors.raise("%s: `boxes` should be [batch, boxes, 4], with a batch of %d as the pictures, "
      .. "got shape %s", name, images.shape[1], errors.shape(corners.shape))
  end
  return {boxes = rows.cast(corners, "int32"):tolist(),
    labels = read_numbers(name, "labels", found.labels, corners),
    confidences = read_numbers(name, "confidences", found.confidences, corners)}
end

local bind_draw = arguments.named_binder("draw_bounding_boxes", {
  {"images", "any"}, {"bounding_boxes", "any"}, {"bounding_box_format", "bounding_box_format"},
  {"class_mapping", "any", optional = true}, {"color", "any", default = {128, 128, 128}},
  {"line_thickness", "integer", default = 2}, {"text_thickness", "integer", default = 1},
  {"font_scale", "number", default = 1.0},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
}, "nested")

--- Pictures with boxes drawn on them.
-- @param images `[batch, height, width, channels]`, 1 or 3 channels; numbers up to 1, or to 255
-- @tparam table bounding_boxes `{boxes = [batch, boxes, 4], labels = [batch, boxes]}`, and
-- `confidences` where there are some; a box with the label -1 is none
-- @tparam string bounding_box_format as in `cusp.utils.bounding_boxes.convert_format`
-- @tparam[opt] table class_mapping names by class (from 0), which are written to the boxes
-- @tparam[opt={128, 128, 128}] table color red, green and blue from 0 to 255
-- @tparam[opt=2] integer line_thickness in pixels; negative: filled
-- @tparam[opt=1] integer text_thickness bold if more than 1
-- @tparam[opt=1.0] number font_scale
-- @tparam[opt] string data_format
-- @treturn tensor of the shape of `images`, uint8
-- @raise if `images` is no batch, or boxes or labels are missing
-- @usage cusp.visualization.draw_bounding_boxes(images, {boxes = boxes, labels = labels}, "xyxy",
--   {class_mapping = {[0] = "cat", "dog"}, color = {255, 0, 0}})
function boxes.draw_bounding_boxes(...)
  local options = bind_draw(...)
  local name = "draw_bounding_boxes"
  local images = pictures.batch(name, options.images, options.data_format)
  pictures.check_channels(name, images)
  check_boxes(name, options.bounding_boxes)
  pictures.check_mapping(name, "class_mapping", options.class_mapping)
  options.canvas_color = pictures.color(name, "color", options.color)
  if images.shape[1] == 0 then return rows.cast(define.tensor(options.images), "uint8") end
  images = as_bytes(images)
  local found = read_boxes(name, options.bounding_boxes, options.bounding_box_format, images)
  local drawn = {}
  for i = 1, images.shape[1] do drawn[i] = draw_on(images, i, found, options) end
  return pictures.as_given(rows.stack(drawn, 1), options.data_format)
end

---------------------------------------------------------------- a gallery

local bind_plot = arguments.named_binder("plot_bounding_box_gallery", {
  {"images", "any"}, {"bounding_box_format", "bounding_box_format"},
  {"y_true", "any", optional = true}, {"y_pred", "any", optional = true},
  {"value_range", "list", default = {0, 255}},
  {"true_color", "any", default = {0, 188, 212}}, {"pred_color", "any", default = {255, 235, 59}},
  {"line_thickness", "integer", default = 2}, {"font_scale", "number", default = 1.0},
  {"text_thickness", "integer", optional = true}, {"class_mapping", "any", optional = true},
  {"ground_truth_mapping", "any", optional = true}, {"prediction_mapping", "any", optional = true},
  {"legend", "boolean", default = false}, {"legend_handles", "list", optional = true},
  {"rows", "integer", optional = true, min = 1}, {"cols", "integer", optional = true, min = 1},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
  {"scale", "number", default = 2}, {"path", "string", optional = true},
  {"show", "boolean", optional = true}, {"transparent", "boolean", default = true},
  {"dpi", "number", default = 60},
}, "nested")

local function draw_set(images, found, options, color, mapping)
  if found == nil then return images end
  return boxes.draw_bounding_boxes(images, found, options.bounding_box_format, {
    class_mapping = mapping or options.class_mapping, color = color,
    line_thickness = options.line_thickness, font_scale = options.font_scale,
    text_thickness = options.text_thickness or options.line_thickness,
    data_format = "channels_last",
  })
end

local function legend_of(options)
  if not options.legend then return options.legend_handles end
  if options.legend_handles then
    errors.raise "plot_bounding_box_gallery: pass `legend` or `legend_handles`, not both"
  end
  return {{color = options.true_color, label = "Ground Truth"},
    {color = options.pred_color, label = "Prediction"}}
end

--- Pictures side by side with true boxes, predicted ones, or both.
-- @param images `[batch, height, width, channels]`
-- @tparam string bounding_box_format
-- @tparam[opt] table y_true boxes as for `draw_bounding_boxes`
-- @tparam[opt] table y_pred
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @param[opt] true_color, pred_color, line_thickness, font_scale, text_thickness of the boxes
-- @tparam[opt] table class_mapping names by class; `ground_truth_mapping` and `prediction_mapping`
-- for one kind of box alone
-- @tparam[opt=false] boolean legend whether the colours are explained
-- @tparam[opt] table legend_handles other explanations: `{{color =, label =}, ...}`
-- @param[opt] rows, cols, scale, path, show, transparent, dpi as for `plot_image_gallery`
-- @tparam[opt] string data_format
function boxes.plot_bounding_box_gallery(...)
  local options = bind_plot(...)
  local images = pictures.batch("plot_bounding_box_gallery", options.images, options.data_format)
  images = draw_set(images, options.y_true, options, options.true_color,
    options.ground_truth_mapping)
  images = draw_set(images, options.y_pred, options, options.pred_color,
    options.prediction_mapping)
  gallery.plot_image_gallery(images, {
    value_range = options.value_range, legend_handles = legend_of(options), rows = options.rows,
    cols = options.cols, scale = options.scale, path = options.path, show = options.show,
    transparent = options.transparent, dpi = options.dpi, data_format = "channels_last",
  })
end

return boxes
