--- Charts as PNG or SVG, drawn with cairo.
-- @module cusp.plot.picture
local panels = require "cusp.plot.panels"

local picture = {}

local colors = {
  text = {0.13, 0.15, 0.18}, faint = {0.42, 0.45, 0.50}, grid = {0.90, 0.91, 0.93},
  axis = {0.68, 0.70, 0.74},
  white = {1, 1, 1},
  series = {{0.12, 0.37, 0.75}, {0.89, 0.41, 0.05}},
}

-- Lengths in 1/72 inch.
local MARGIN, HEADER, TITLE = 16, 36, 30
local FOOTER, GAP = 34, 22
local SMALL, NORMAL, LARGE = 9, 11, 14
local FEW_POINTS = 40

local function label_width(canvas, axis)
  local width = 0
  for _, tick in ipairs(axis.ticks) do width = math.max(width, canvas:extent(tick.text, SMALL)) end
  return width + 8
end

-- Skips marks whose labels would touch.
local function draw_x_axis(canvas, panel, box)
  local free_from = -math.huge
  for _, tick in ipairs(panel.x.ticks) do
    local x, half = box.x + panel.x.place(tick.value) * box.width,
      canvas:extent(tick.text, SMALL) / 2
    canvas:line({x, box.y + box.height, x, box.y + box.height + 3}, colors.axis, 0.8)
    if x - half > free_from then
      canvas:text(x, box.y + box.height + 13, tick.text, SMALL, colors.faint, 0.5)
      free_from = x + half + 4
    end
  end
  canvas:line({box.x, box.y + box.height, box.x + box.width, box.y + box.height}, colors.axis, 0.8)
  canvas:text(box.x + box.width / 2, box.y + box.height + 27, "epoch", SMALL, colors.faint, 0.5)
end

local function draw_y_axis(canvas, panel, box)
  for _, tick in ipairs(panel.y.ticks) do
    local y = box.y + (1 - panel.y.place(tick.value)) * box.height
    canvas:line({box.x, y, box.x + box.width, y}, colors.grid, 0.8)
    canvas:text(box.x - 6, y + 3, tick.text, SMALL, colors.faint, 1)
  end
end

-- The title on the left, the legend with the last values on the right; omits the values if both do
-- not fit.
local function draw_heading(canvas, panel, box)
  local y = box.y - 12
  canvas:text(box.x, y, panel.title, NORMAL, colors.text, 0, true)
  local right, room = box.x + box.width, box.width - canvas:extent(panel.title, NORMAL, true) - 12
  local function texts(with_values)
    local list, total = {}, 0
    for i, series in ipairs(panel.series) do
      list[i] = with_values and ("%s %s"):format(series.label, panels.last_text(series))
        or series.label
      total = total + canvas:extent(list[i], SMALL) + 28
    end
    return list, total
  end
  local list, total = texts(true)
  if total > room then list = texts(false) end
  for i = #panel.series, 1, -1 do
    local color = colors.series[panel.series[i].order]
    canvas:text(right, y, list[i], SMALL, colors.faint, 1)
    right = right - canvas:extent(list[i], SMALL) - 4
    canvas:line({right - 12, y - 3, right, y - 3}, color, 2)
    right = right - 24
  end
end

local function draw_series(canvas, panel, series, box)
  local color = colors.series[series.order]
  local function place(x, y) return box.x + x * box.width, box.y + (1 - y) * box.height end
  local points = {}
  local function stroke()
    if #points > 2 then canvas:line(points, color, 1.6) end
    points = {}
  end
  local marked = #series.y <= FEW_POINTS
  panels.each_segment(panel, series, function(x1, y1, x2, y2)
    local ax, ay = place(x1, y1)
    if #points == 0 or points[#points - 1] ~= ax or points[#points] ~= ay then
      stroke()
      points = {ax, ay}
    end
    if marked or not x2 then canvas:dot(ax, ay, 2.2, color) end
    if x2 then
      local bx, by = place(x2, y2)
      points[#points + 1], points[#points + 2] = bx, by
      if marked then canvas:dot(bx, by, 2.2, color) end
    end
  end)
  stroke()
end

local function draw_panel(canvas, panel, x, y, width, height)
  local left = label_width(canvas, panel.y)
  local box = {x = x + left, y = y + TITLE, width = width - left - 6,
    height = height - TITLE - FOOTER}
  draw_y_axis(canvas, panel, box)
  draw_x_axis(canvas, panel, box)
  canvas:clip(box.x - 4, box.y - 4, box.width + 8, box.height + 8)
  for i = #panel.series, 1, -1 do draw_series(canvas, panel, panel.series[i], box) end
  canvas:unclip()
  draw_heading(canvas, panel, box)
end

local function columns_for(count)
  if count <= 3 then return count end
  return count == 4 and 2 or 3
end

--- Draws panels side by side, in several rows if there are many.
-- @tparam {table,...} list see `cusp.plot.panels`
-- @tparam string format "png" or "svg"
-- @tparam[opt] table options `title`, `width` and `height` (1/72 inch; 380 by 270 per panel by
-- default), `dpi` (144)
-- @treturn string the file's bytes
function picture.draw(list, format, options)
  options = options or {}
  local columns = columns_for(#list)
  local lines = math.ceil(#list / columns)
  local header = options.title and HEADER or MARGIN
  local width, height = options.width or columns * 380 + 2 * MARGIN,
    options.height or lines * 270 + header + MARGIN
  local canvas <close> = require("cusp.base.native").load("cairo", "history:plot").canvas(format,
    width, height, (options.dpi or 144) / 72)
  canvas:rectangle(0, 0, width, height, colors.white)
  if options.title then canvas:text(width / 2, 24, options.title, LARGE, colors.text, 0.5, true) end
  local panel_width = (width - 2 * MARGIN - (columns - 1) * GAP) / columns
  local panel_height = (height - header - MARGIN / 2) / lines
  for i, panel in ipairs(list) do
    local column, line = (i - 1) % columns, (i - 1) // columns
    draw_panel(canvas, panel, MARGIN + column * (panel_width + GAP), header + line * panel_height,
      panel_width, panel_height)
  end
  return canvas:finish()
end

return picture
