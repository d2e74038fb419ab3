--- Charts made of characters; each holds two by four braille dots.
-- @module cusp.plot.terminal
local panels = require "cusp.plot.panels"

local terminal = {}

-- The bits of a braille character's dots, by column and row.
local DOTS = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}
local COLORS = {"\27[34m", "\27[33m"}
local DEFAULT, BOLD, FAINT = "\27[0m", "\27[1m", "\27[2m"

local Grid = {}
Grid.__index = Grid

local function new_grid(columns, lines)
  local grid = {columns = columns, lines = lines, bits = {}, owner = {}}
  for i = 1, columns * lines do grid.bits[i] = 0 end
  return setmetatable(grid, Grid)
end

-- Sets a dot; positions count from 0 at the upper left.
function Grid:set(x, y, order)
  if x < 0 or y < 0 or x >= 2 * self.columns or y >= 4 * self.lines then return end
  local cell = y // 4 * self.columns + x // 2 + 1
  self.bits[cell] = self.bits[cell] | DOTS[x % 2 + 1][y % 4 + 1]
  self.owner[cell] = math.min(order, self.owner[cell] or order)
end

-- Validation is dotted, so that it differs from training even without colours.
function Grid:line(x1, y1, x2, y2, order)
  local steps = math.max(math.abs(x2 - x1), math.abs(y2 - y1), 1)
  for i = 0, steps do
    local x, y = math.floor(x1 + (x2 - x1) * i / steps + 0.5),
      math.floor(y1 + (y2 - y1) * i / steps + 0.5)
    if order == 1 or (x + y) % 3 ~= 0 then self:set(x, y, order) end
  end
end

function Grid:text(line, paint)
  local parts = {}
  for column = 1, self.columns do
    local cell = (line - 1) * self.columns + column
    local bits = self.bits[cell]
    parts[column] = bits == 0 and " " or paint(COLORS[self.owner[cell]], utf8.char(0x2800 + bits))
  end
  return table.concat(parts)
end

local function draw_series(grid, panel, series)
  local width, height = 2 * grid.columns - 1, 4 * grid.lines - 1
  local function place(x, y)
    return math.floor(x * width + 0.5), math.floor((1 - y) * height + 0.5)
  end
  panels.each_segment(panel, series, function(x1, y1, x2, y2)
    local ax, ay = place(x1, y1)
    if not x2 then return grid:set(ax, ay, series.order) end
    local bx, by = place(x2, y2)
    grid:line(ax, ay, bx, by, series.order)
  end)
end

-- The labels of the marks, by line.
local function labels_by_line(panel, lines)
  local labels, width = {}, 0
  for _, tick in ipairs(panel.y.ticks) do
    local line = math.floor((1 - panel.y.place(tick.value)) * (lines - 1) + 0.5) + 1
    if not labels[line] then
      labels[line] = tick.text
      width = math.max(width, #tick.text)
    end
  end
  return labels, width
end

local function x_labels(panel, columns)
  local text, reach = {}, 0
  for i = 1, columns do text[i] = " " end
  for _, tick in ipairs(panel.x.ticks) do
    local at = math.floor(panel.x.place(tick.value) * (columns - 1) + 0.5) + 1
      - (#tick.text - 1) // 2
    at = math.max(1, math.min(at, columns - #tick.text + 1))
    if at > reach then
      for i = 1, #tick.text do text[at + i - 1] = tick.text:sub(i, i) end
      reach = at + #tick.text
    end
  end
  return table.concat(text)
end

local function legend(panel, paint)
  local parts = {}
  for i, series in ipairs(panel.series) do
    parts[i] = paint(COLORS[series.order], series.order == 1 and "⠤⠤" or "⠄⠄")
      .. (" %s %s"):format(series.label, panels.last_text(series))
  end
  return table.concat(parts, "   ")
end

local function draw_panel(out, panel, width, lines, paint)
  local labels, label_width = labels_by_line(panel, lines)
  local columns = math.max(width - label_width - 3, 10)
  local grid = new_grid(columns, lines)
  for i = #panel.series, 1, -1 do draw_series(grid, panel, panel.series[i]) end
  out[#out + 1] = (" "):rep(label_width + 2) .. paint(BOLD, panel.title) .. "   "
    .. legend(panel, paint)
  for line = 1, lines do
    local label = labels[line] or ""
    out[#out + 1] = paint(FAINT,
      (" "):rep(label_width - #label) .. label .. (labels[line] and " ┤" or " │"))
      .. grid:text(line, paint)
  end
  out[#out + 1] = paint(FAINT, (" "):rep(label_width + 1) .. "└" .. ("─"):rep(columns))
  out[#out + 1] = paint(FAINT, (" "):rep(label_width + 2) .. x_labels(panel, columns) .. " epoch")
end

--- Draws panels one below the other.
-- @tparam {table,...} list see `cusp.plot.panels`
-- @tparam table options `width` (characters), `height` (lines of a panel), `color` (boolean),
-- `title`
-- @treturn string lines
function terminal.draw(list, options)
  local out = {}
  local function paint(code, text) return options.color and code .. text .. DEFAULT or text end
  if options.title then out[1] = paint(BOLD, options.title) end
  for i, panel in ipairs(list) do
    if i > 1 or options.title then out[#out + 1] = "" end
    draw_panel(out, panel, options.width, options.height, paint)
  end
  for i, line in ipairs(out) do out[i] = line:gsub("%s+$", "") end
  return table.concat(out, "\n") .. "\n"
end

return terminal
