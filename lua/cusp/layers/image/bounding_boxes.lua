--- Bounding boxes: their formats, and how moving and cropping images changes them. Boxes are
-- `[batch, boxes, 4]`; a table of them is `{boxes =, labels = [batch, boxes]}`, with label -1 for
-- missing boxes.
-- @module cusp.layers.image.bounding_boxes
local engine = require "cusp.engine"
local kinds = require "cusp.base.kinds"
local plain = require "cusp.base.plain"

local bounding_boxes = {}
local rows = engine.ops

local function corners(a, b, c, d) return a, b, c, d end
local function swapped(a, b, c, d) return b, a, d, c end

-- format → conversion to the corners left, top, right, bottom, and back
local converters = {
  xyxy = {corners, corners},
  yxyx = {swapped, swapped},
  xywh = {
    function(x, y, w, h) return x, y, rows.add(x, w), rows.add(y, h) end,
    function(x1, y1, x2, y2) return x1, y1, rows.subtract(x2, x1), rows.subtract(y2, y1) end,
  },
  center_xywh = {
    function(x, y, w, h)
      local half_w, half_h = rows.multiply(w, 0.5), rows.multiply(h, 0.5)
      return rows.subtract(x, half_w), rows.subtract(y, half_h), rows.add(x, half_w),
        rows.add(y, half_h)
    end,
    function(x1, y1, x2, y2)
      return rows.multiply(rows.add(x1, x2), 0.5), rows.multiply(rows.add(y1, y2), 0.5),
        rows.subtract(x2, x1), rows.subtract(y2, y1)
    end,
  },
}
converters.center_yxhw = {
  function(y, x, h, w) return converters.center_xywh[1](x, y, w, h) end,
  function(...) return swapped(converters.center_xywh[2](...)) end,
}

local names = {"xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx",
  "rel_xywh", "rel_center_xywh"}
local known = {}
for _, name in ipairs(names) do known[name] = true end

--- Whether a format of that name exists.
function bounding_boxes.is_format(name) return known[name] == true end
bounding_boxes.expectation = 'one of "' .. table.concat(names, '", "') .. '"'

kinds.define("bounding_box_format", {
  check = function(value)
    if type(value) ~= "string" then return false end
    return bounding_boxes.is_format(plain.lower(value)), plain.lower(value)
  end,
  expects = bounding_boxes.expectation,
})

local function scaled(height, width, x1, y1, x2, y2)
  return rows.multiply(x1, width), rows.multiply(y1, height), rows.multiply(x2, width),
    rows.multiply(y2, height)
end

--- The corners of boxes in pixels: left, top, right, bottom, each `[batch, boxes, 1]`.
-- @tparam tensor boxes `[batch, boxes, 4]`
-- @tparam string format
-- @tparam integer height of the images
-- @tparam integer width
function bounding_boxes.corners(boxes, format, height, width)
  local relative = format:match "^rel_(.*)"
  local parts = rows.split(rows.cast(boxes, "float32"), 4, -1)
  local convert = converters[relative or format][1]
  if relative then return scaled(height, width, convert(table.unpack(parts))) end
  return convert(table.unpack(parts))
end

--- Converts corners in pixels to a format.
function bounding_boxes.from_corners(format, height, width, x1, y1, x2, y2)
  local relative = format:match "^rel_(.*)"
  if relative then x1, y1, x2, y2 = scaled(1 / height, 1 / width, x1, y1, x2, y2) end
  return rows.concatenate({converters[relative or format][2](x1, y1, x2, y2)}, -1)
end

--- Boxes after a transformation: clips them to the images, and sets the label to -1 if no area is
-- left.
-- @tparam table data `{boxes =, labels =}`
-- @tparam string format
-- @tparam integer height of the transformed images
-- @tparam integer width
-- @param ... the corners
-- @treturn table
function bounding_boxes.within(data, format, height, width, x1, y1, x2, y2)
  x1, x2 = rows.clip(x1, 0, width), rows.clip(x2, 0, width)
  y1, y2 = rows.clip(y1, 0, height), rows.clip(y2, 0, height)
  local area = rows.multiply(rows.subtract(x2, x1), rows.subtract(y2, y1))
  local result = {}
  for key, value in pairs(data) do result[key] = value end
  result.boxes = bounding_boxes.from_corners(format, height, width, x1, y1, x2, y2)
  if #data.labels.shape == 2 then area = rows.squeeze(area, -1) end
  result.labels = rows.where(rows.greater(area, 0), data.labels, -1)
  return result
end

--- The upright rectangles around boxes whose corners a function moves.
-- @tparam function move receives x and y, returns their new positions
-- @treturn tensor left, top, right, bottom
function bounding_boxes.around(move, x1, y1, x2, y2)
  local left, top, right, bottom
  for _, corner in ipairs{{x1, y1}, {x2, y1}, {x1, y2}, {x2, y2}} do
    local x, y = move(corner[1], corner[2])
    left, right = left and rows.minimum(left, x) or x, right and rows.maximum(right, x) or x
    top, bottom = top and rows.minimum(top, y) or y, bottom and rows.maximum(bottom, y) or y
  end
  return left, top, right, bottom
end

return bounding_boxes
