--- Rectangles on images: between the forms they are written in, cut, moved, compared.
-- Boxes are `[boxes, 4]` or `[batch, boxes, 4]`. Formats: "xyxy" (left, top, right, bottom),
-- "yxyx", "xywh", "center_xywh", "center_yxhw", and "rel_xyxy", "rel_yxyx", "rel_xywh",
-- "rel_center_xywh", which count in heights and widths of the image.
-- @module cusp.utils.bounding_boxes
-- @usage cusp.utils.bounding_boxes.convert_format({{10, 20, 30, 40}}, "xyxy", "xywh")
local arguments = require "cusp.base.arguments"
local config = require "cusp.base.config"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local forms = require "cusp.layers.image.bounding_boxes"
local plain = require "cusp.base.plain"

local bounding_boxes = {}
local rows = engine.ops

local function check_boxes(name, boxes)
  -- of a call in one table
  if kinds.is_plain(boxes) and #boxes == 1 and type(boxes[1]) == "userdata" then
    boxes = boxes[1]
  end
  boxes = define.tensor(boxes)
  local shape = boxes.shape
  if #shape == 0 or shape[#shape] ~= 4 then
    errors.raise("%s: expected boxes with a last axis of 4, got shape %s", name,
      errors.shape(shape))
  end
  return boxes
end

local function check_format(name, what, format)
  local lower = plain.lower(format)
  if not forms.is_format(lower) then
    errors.raise("%s: argument '%s' should be %s, got %q", name, what, forms.expectation, format)
  end
  return lower
end

local function is_relative(format) return format:find "^rel_" ~= nil end

local function convert(name, boxes, source, target, height, width, dtype)
  boxes = check_boxes(name, boxes)
  source, target = check_format(name, "source", source), check_format(name, "target", target)
  local relative = is_relative(source) or is_relative(target)
  if relative and not (height and width) then
    errors.raise("%s: between %q and %q, `height` and `width` of the image are needed", name,
      source, target)
  end
  boxes = rows.cast(boxes, dtype or "float32")
  if source == target then return boxes end
  if is_relative(source) and is_relative(target) then height, width = 1, 1 end
  return forms.from_corners(target, height, width, forms.corners(boxes, source, height, width))
end

local bind_convert = arguments.binder("convert_format", {
  {"boxes", "any"}, {"source", "string"}, {"target", "string"},
  {"height", "any", optional = true}, {"width", "any", optional = true},
  {"dtype", "dtype", default = "float32"},
}, "nested")

--- Boxes in another format.
-- @param boxes a tensor, or a table with the field `boxes`
-- @tparam string source the format they are in
-- @tparam string target the format they get
-- @tparam[opt] number height of the image, for relative formats
-- @tparam[opt] number width
-- @tparam[opt="float32"] string dtype
-- @return as `boxes`
function bounding_boxes.convert_format(...)
  local boxes, source, target, height, width, dtype = bind_convert(...)
  if kinds.is_plain(boxes) and boxes.boxes ~= nil then
    local result = {}
    for key, value in pairs(boxes) do result[key] = value end
    result.boxes = convert("convert_format", boxes.boxes, source, target, height, width, dtype)
    return result
  end
  return convert("convert_format", boxes, source, target, height, width, dtype)
end

local bind_clip = arguments.binder("clip_to_image_size", {
  {"bounding_boxes", "any"}, {"height", "any", optional = true}, {"width", "any", optional = true},
  {"bounding_box_format", "choice", choices = {"xyxy", "rel_xyxy"}, default = "xyxy"},
}, false)

-- The arguments of a call whose first one is a table by name, which is no table of arguments.
local function with_table_first(first, ...)
  if kinds.is_plain(first) and first.boxes ~= nil then return {first}, ... end
  return first, ...
end

local function clipped(height, width, x1, y1, x2, y2)
  return rows.clip(x1, 0, width), rows.clip(y1, 0, height), rows.clip(x2, 0, width),
    rows.clip(y2, 0, height)
end

--- Boxes without what is beyond the image; what has no area left gets the label -1.
-- @tparam table bounding_boxes `{boxes =, labels =}`
-- @tparam[opt] number height
-- @tparam[opt] number width
-- @tparam[opt="xyxy"] string bounding_box_format "xyxy" or "rel_xyxy"
-- @treturn table
function bounding_boxes.clip_to_image_size(...)
  local data, height, width, format = bind_clip(with_table_first(...))
  if kinds.is_plain(data) and kinds.is_plain(data[1]) and data[1].boxes then data = data[1] end
  if not kinds.is_plain(data) or data.boxes == nil then
    errors.raise("clip_to_image_size: expected a table {boxes =, labels =}, got %s",
      errors.describe(data))
  end
  if format == "rel_xyxy" then height, width = 1, 1 end
  if not (height and width) then
    errors.raise "clip_to_image_size: `height` and `width` are needed for the format \"xyxy\""
  end
  local boxes = check_boxes("clip_to_image_size", data.boxes)
  local result = {}
  for key, value in pairs(data) do result[key] = value end
  local x1, y1, x2, y2 = clipped(height, width, table.unpack(rows.split(boxes, 4, -1)))
  result.boxes = rows.concatenate({x1, y1, x2, y2}, -1)
  if data.labels ~= nil then
    local area = rows.squeeze((x2 - x1) * (y2 - y1), -1)
    result.labels = rows.where(rows.greater(area, 0), define.tensor(data.labels), -1)
  end
  return result
end

local function only_corners(name, format)
  if format ~= "xyxy" then
    errors.raise("%s: boxes should be in the format \"xyxy\", got %s", name,
      errors.describe(format))
  end
end

local bind_crop = arguments.binder("crop", {
  {"boxes", "any"}, {"top", "any"}, {"left", "any"}, {"height", "any"}, {"width", "any"},
  {"bounding_box_format", "string", default = "xyxy"},
}, "nested")

--- Boxes of an image of which a part is cut out.
-- @tparam tensor boxes in the format "xyxy"
-- @tparam number top of the part
-- @tparam number left
-- @tparam number height
-- @tparam number width
-- @treturn tensor
function bounding_boxes.crop(...)
  local boxes, top, left, height, width, format = bind_crop(...)
  only_corners("crop", format)
  local x1, y1, x2, y2 = table.unpack(rows.split(check_boxes("crop", boxes), 4, -1))
  return rows.concatenate({clipped(height, width, x1 - left, y1 - top, x2 - left, y2 - top)}, -1)
end

local bind_pad = arguments.binder("pad", {
  {"boxes", "any"}, {"top", "any"}, {"left", "any"}, {"height", "any", optional = true},
  {"width", "any", optional = true}, {"bounding_box_format", "string", default = "xyxy"},
}, "nested")

--- Boxes of an image around which there is more.
-- @tparam tensor boxes in the format "xyxy"
-- @tparam number top rows that are added above
-- @tparam number left columns that are added on the left
-- @treturn tensor
function bounding_boxes.pad(...)
  local boxes, top, left, _, _, format = bind_pad(...)
  only_corners("pad", format)
  local x1, y1, x2, y2 = table.unpack(rows.split(check_boxes("pad", boxes), 4, -1))
  return rows.concatenate({x1 + left, y1 + top, x2 + left, y2 + top}, -1)
end

---------------------------------------------------------------- moving

local affine_names = {"angle", "translate_x", "translate_y", "scale", "shear_x", "shear_y"}
local bind_affine = arguments.named_binder("affine_transform", {
  {"boxes", "any"}, {"angle", "any"}, {"translate_x", "any"}, {"translate_y", "any"},
  {"scale", "any"}, {"shear_x", "any"}, {"shear_y", "any"}, {"height", "any"}, {"width", "any"},
  {"center_x", "any", optional = true}, {"center_y", "any", optional = true},
  {"bounding_box_format", "string", default = "xyxy"},
}, "nested")

-- The first two rows of the matrix that takes points of an image to where they are in the other.
local function affine_rows(t, height, width, center_x, center_y)
  local radians = math.pi / 180
  local cx, cy = center_x * (width - 1), center_y * (height - 1)
  local rotation, sx, sy = -t.angle * radians, -t.shear_x * radians, -t.shear_y * radians
  local tx, ty = -t.translate_x * (width - 1), -t.translate_y * (height - 1)
  local turned = rotation - sy
  local a, c = rows.cos(turned) / rows.cos(sy), -(rows.sin(turned) / rows.cos(sy))
  local b, d = a * rows.tan(sx) + rows.sin(rotation), rows.cos(rotation) - c * rows.tan(sx)
  local a0, a1, b0, b1 = d * t.scale, -b * t.scale, -c * t.scale, a * t.scale
  return {a0, a1, cx - a0 * (cx + tx) - a1 * (cy + ty)},
    {b0, b1, cy - b0 * (cx + tx) - b1 * (cy + ty)}
end

--- The upright rectangles around boxes that are turned, moved, scaled and sheared.
-- @tparam tensor boxes `[batch, boxes, 4]` in the format "xyxy"
-- @tparam tensor angle degrees, `[batch]`, as all numbers up to `height` are
-- @tparam tensor translate_x share of the width
-- @tparam tensor translate_y share of the height
-- @tparam tensor scale
-- @tparam tensor shear_x degrees
-- @tparam tensor shear_y degrees
-- @tparam number height
-- @tparam number width
-- @tparam[opt=0.5] number center_x
-- @tparam[opt=0.5] number center_y
-- @treturn tensor
function bounding_boxes.affine_transform(...)
  local args, t = bind_affine(...), {}
  only_corners("affine_transform", args.bounding_box_format)
  local boxes = check_boxes("affine_transform", args.boxes)
  if #boxes.shape ~= 3 then
    errors.raise("affine_transform: expected boxes [batch, boxes, 4], got shape %s",
      errors.shape(boxes.shape))
  end
  for _, name in ipairs(affine_names) do
    t[name] = rows.reshape(rows.cast(define.tensor(args[name]), "float32"), {-1, 1, 1})
  end
  local x_row, y_row = affine_rows(t, args.height, args.width, args.center_x or 0.5,
    args.center_y or 0.5)
  local x1, y1, x2, y2 = table.unpack(rows.split(rows.cast(boxes, "float32"), 4, -1))
  local left, top, right, bottom = forms.around(function(x, y)
    return x_row[1] * x + x_row[2] * y + x_row[3], y_row[1] * x + y_row[2] * y + y_row[3]
  end, x1, y1, x2, y2)
  return rows.concatenate({left, top, right, bottom}, -1)
end

---------------------------------------------------------------- relative to anchors

local delta_formats = {"center_xywh", "center_yxhw"}

local function delta_signature(first, second, format)
  return {{first, "any"}, {second, "any"}, {"anchor_format", "string"}, {"box_format", "string"},
    {format, "choice", choices = delta_formats, default = "center_yxhw"},
    {"variance", "any", optional = true}, {"image_shape", "any", optional = true}}
end

local bind_encode = arguments.named_binder("encode_box_to_deltas",
  delta_signature("anchors", "boxes", "encoding_format"), "nested")
local bind_decode = arguments.named_binder("decode_deltas_to_boxes",
  delta_signature("anchors", "boxes_delta", "encoded_format"), false)

local function check_variance(name, variance)
  if variance == nil then return nil end
  variance = rows.cast(define.tensor(variance), "float32")
  if variance.shape[#variance.shape] ~= 4 then
    errors.raise("%s: `variance` should have 4 elements, got shape %s", name,
      errors.shape(variance.shape))
  end
  return variance
end

local function halves(boxes) return table.unpack(rows.split(boxes, 2, -1)) end

--- Boxes as differences from anchors: of the centres in sizes of the anchors, of the sizes as
-- logarithms.
-- @tparam tensor anchors `[boxes, 4]`
-- @tparam tensor boxes `[boxes, 4]` or `[batch, boxes, 4]`
-- @tparam string anchor_format
-- @tparam string box_format
-- @tparam[opt="center_yxhw"] string encoding_format or "center_xywh"
-- @tparam[opt] table variance 4 numbers that the differences are divided by
-- @tparam[opt] table image_shape `{height, width, channels}`, for relative formats
-- @treturn tensor
function bounding_boxes.encode_box_to_deltas(...)
  local name = "encode_box_to_deltas"
  local args = bind_encode(...)
  local format, image = args.encoding_format, args.image_shape or {}
  local variance = check_variance(name, args.variance)
  local centers, sizes = halves(convert(name, args.anchors, args.anchor_format, format, image[1],
    image[2]))
  local own_centers, own_sizes = halves(convert(name, args.boxes, args.box_format, format, image[1],
    image[2]))
  sizes = rows.maximum(sizes, config.epsilon())
  own_sizes = rows.maximum(own_sizes, config.epsilon())
  local deltas = rows.concatenate({rows.divide(own_centers - centers, sizes),
    rows.log(rows.divide(own_sizes, sizes))}, -1)
  return variance and rows.divide(deltas, variance) or deltas
end

--- Boxes from their differences from anchors.
-- @param anchors `[boxes, 4]`, or a table of them by level
-- @param boxes_delta in the same form
-- @tparam string anchor_format
-- @tparam string box_format of what is returned
-- @tparam[opt="center_yxhw"] string encoded_format
-- @tparam[opt] table variance
-- @tparam[opt] table image_shape
-- @return boxes in the form of `anchors`
function bounding_boxes.decode_deltas_to_boxes(...)
  local name = "decode_deltas_to_boxes"
  local args = bind_decode(...)
  local format, image = args.encoded_format, args.image_shape or {}
  local anchors, deltas, variance = args.anchors, args.boxes_delta, check_variance(name,
    args.variance)
  local function decode(level_anchors, level_deltas)
    local centers, sizes = halves(convert(name, level_anchors, args.anchor_format, format, image[1],
      image[2]))
    level_deltas = check_boxes(name, level_deltas)
    if variance then level_deltas = level_deltas * variance end
    local moved, grown = halves(level_deltas)
    local boxes = rows.concatenate({moved * sizes + centers, rows.exp(grown) * sizes}, -1)
    return convert(name, boxes, format, args.box_format, image[1], image[2])
  end
  if not kinds.is_plain(anchors) or type(anchors[1]) == "number" or kinds.is_plain(anchors[1]) then
    return decode(anchors, deltas)
  end
  local result = {}
  for level, level_anchors in pairs(anchors) do
    result[level] = decode(level_anchors, deltas[level])
  end
  return result
end

---------------------------------------------------------------- overlaps

local bind_iou = arguments.binder("compute_iou", {
  {"boxes1", "any"}, {"boxes2", "any"}, {"bounding_box_format", "string"},
  {"use_masking", "boolean", default = false}, {"mask_val", "number", default = -1},
  {"image_shape", "any", optional = true},
}, "nested")

local function check_rank(name, boxes)
  local rank = #boxes.shape
  if rank ~= 2 and rank ~= 3 then
    errors.raise("%s: expected boxes [boxes, 4] or [batch, boxes, 4], got shape %s", name,
      errors.shape(boxes.shape))
  end
end

-- The last two axes the other way round.
local function turned(x)
  return rows.swapaxes(x, -1, -2)
end

local function corners_of(name, boxes, format, image)
  boxes = check_boxes(name, boxes)
  check_rank(name, boxes)
  boxes = convert(name, boxes, format, "yxyx", image[1], image[2])
  return boxes, rows.split(boxes, 4, -1)
end

local function masked(iou, boxes1, boxes2, value)
  local absent1 = rows.less(rows.max(boxes1, -1, true), 0)
  local absent2 = rows.less(rows.max(boxes2, -1, true), 0)
  return rows.where(rows.logical_or(absent1, turned(absent2)), value, iou)
end

--- For each pair of boxes, the area they share over the area they cover.
-- @tparam tensor boxes1 `[n, 4]` or `[batch, n, 4]`
-- @tparam tensor boxes2 `[m, 4]` or `[batch, m, 4]`
-- @tparam string bounding_box_format
-- @tparam[opt=false] boolean use_masking whether pairs with a box of negative numbers get
-- `mask_val`
-- @tparam[opt=-1] number mask_val
-- @tparam[opt] table image_shape `{height, width, channels}`, for relative formats
-- @treturn tensor `[n, m]` or `[batch, n, m]`
function bounding_boxes.compute_iou(...)
  local boxes1, boxes2, format, use_masking, mask_val, image = bind_iou(...)
  if is_relative(format) and not image then
    errors.raise("compute_iou: `image_shape` is needed for the format %q", format)
  end
  local one, a = corners_of("compute_iou", boxes1, format, image or {})
  local two, b = corners_of("compute_iou", boxes2, format, image or {})
  local function length(from, to)
    local low = rows.maximum(a[from], turned(b[from]))
    return rows.maximum(rows.minimum(a[to], turned(b[to])) - low, 0)
  end
  local shared = length(1, 3) * length(2, 4)
  local area1, area2 = (a[3] - a[1]) * (a[4] - a[2]), (b[3] - b[1]) * (b[4] - b[2])
  local iou = rows.divide(shared, area1 + turned(area2) - shared + config.epsilon())
  return use_masking and masked(iou, one, two, mask_val) or iou
end

local bind_ciou = arguments.binder("compute_ciou", {
  {"boxes1", "any"}, {"boxes2", "any"}, {"bounding_box_format", "string"},
  {"image_shape", "any", optional = true},
}, "nested")

local function parts_of(boxes, format, image)
  local x1, y1, x2, y2 = table.unpack(rows.split(convert("compute_ciou", boxes, format, "xyxy",
    image[1], image[2]), 4, -1))
  return {x1 = x1, y1 = y1, x2 = x2, y2 = y2, w = x2 - x1, h = y2 - y1 + config.epsilon()}
end

local function overlap(a, b, epsilon)
  local width = rows.maximum(rows.minimum(a.x2, b.x2) - rows.maximum(a.x1, b.x1), 0)
  local height = rows.maximum(rows.minimum(a.y2, b.y2) - rows.maximum(a.y1, b.y1), 0)
  local shared = width * height
  return rows.divide(shared, a.w * a.h + b.w * b.h - shared + 2 * epsilon)
end

--- For boxes one by one, the share of the area they have in common, less what their centres are
-- apart and their proportions differ (complete IoU).
-- @tparam tensor boxes1 `[..., 4]`
-- @tparam tensor boxes2 `[..., 4]`
-- @tparam string bounding_box_format not a relative one
-- @treturn tensor `[...]`
function bounding_boxes.compute_ciou(...)
  local boxes1, boxes2, format, image = bind_ciou(...)
  if is_relative(format) then
    errors.raise("compute_ciou: boxes should be in pixels, got the format %q", format)
  end
  local a, b = parts_of(boxes1, format, image or {}), parts_of(boxes2, format, image or {})
  local epsilon = config.epsilon()
  local iou = overlap(a, b, epsilon)
  local hull_width = rows.maximum(a.x2, b.x2) - rows.minimum(a.x1, b.x1)
  local hull_height = rows.maximum(a.y2, b.y2) - rows.minimum(a.y1, b.y1)
  local diagonal = rows.square(hull_width) + rows.square(hull_height) + epsilon
  local apart = rows.square((a.x1 + a.x2) / 2 - (b.x1 + b.x2) / 2)
    + rows.square((a.y1 + a.y2) / 2 - (b.y1 + b.y2) / 2)
  local v = 4 / math.pi ^ 2
    * rows.square(rows.arctan(rows.divide(b.w, b.h)) - rows.arctan(rows.divide(a.w, a.h)))
  local alpha = rows.divide(v, v - iou + (1 + epsilon))
  return rows.squeeze(iou - (rows.divide(apart, diagonal) + v * alpha), -1)
end

return bounding_boxes
