--- Pictures side by side.
-- @module cusp.visualization.gallery
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local display = require "cusp.base.display"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local pictures = require "cusp.visualization.pictures"
local plain = require "cusp.base.plain"
local whole_file = require "cusp.base.whole_file"

local gallery = {}
local ops = engine.ops
local NAME = "plot_image_gallery"

-- Lengths in 1/72 inch.
local INCH, MARGIN, TITLE, LEGEND = 72, 4, 14, 20
local SMALL, NORMAL = 8, 10
local white, black = {1, 1, 1}, {0.13, 0.15, 0.18}

---------------------------------------------------------------- what is shown

local function class_names(labels, map)
  if labels == nil then return nil end
  if map == nil then
    errors.raise(NAME .. ": `y_true` and `y_pred` need a `label_map`, names by class")
  end
  pictures.check_mapping(NAME, "label_map", map)
  local names = {}
  for i, label in ipairs(define.tensor(labels):flat()) do
    local name = map[math.tointeger(label) or label]
    names[i] = name ~= nil and tostring(name) or "Unknown"
  end
  return names
end

local function titles_of(options, count)
  local labels = class_names(options.y_true, options.label_map)
  local predictions = class_names(options.y_pred, options.label_map)
  if not labels and not predictions then return nil end
  local titles = {}
  for i = 1, count do
    local parts = {}
    if labels and labels[i] then parts[#parts + 1] = "Label: " .. labels[i] end
    if predictions and predictions[i] then parts[#parts + 1] = "Pred: " .. predictions[i] end
    titles[i] = table.concat(parts, "  ")
  end
  return titles
end

local function in_bytes(images, range)
  local low, high = range[1], range[2]
  local part = ops.divide(ops.subtract(ops.cast(images, "float32"), low), high - low)
  return ops.cast(ops.clip(ops.multiply(part, 255), 0, 255), "uint8")
end

---------------------------------------------------------------- drawing

-- A picture as large as fits its cell.
local function draw_picture(canvas, images, i, box)
  local height, width = images.shape[2], images.shape[3]
  local zoom = math.min(box.width / width, box.height / height)
  canvas:image(pictures.bytes(images, i), width, height, box.x + (box.width - width * zoom) / 2,
    box.y + (box.height - height * zoom) / 2, width * zoom, height * zoom)
end

local function draw_legend(canvas, handles, width, y)
  local total = 0
  for _, handle in ipairs(handles) do
    total = total + canvas:extent(handle.label, NORMAL) + 32
  end
  local x = (width - total) / 2
  for _, handle in ipairs(handles) do
    canvas:rectangle(x, y - 8, 14, 8, pictures.color(NAME, "legend_handles", handle.color))
    canvas:text(x + 18, y, handle.label, NORMAL, black)
    x = x + canvas:extent(handle.label, NORMAL) + 32
  end
end

local function draw_all(canvas, images, plan)
  canvas:rectangle(0, 0, plan.width + 1, plan.height + 1, white)
  for i = 1, math.min(images.shape[1], plan.rows * plan.cols) do
    local row, col = (i - 1) // plan.cols, (i - 1) % plan.cols
    local x, y = MARGIN + col * (plan.cell + MARGIN), MARGIN + row * plan.row_height
    if plan.titles then
      canvas:text(x + plan.cell / 2, y + TITLE - 4, plan.titles[i], SMALL, black, 0.5)
      y = y + TITLE
    end
    draw_picture(canvas, images, i, {x = x, y = y, width = plan.cell, height = plan.cell})
  end
  if plan.legend then draw_legend(canvas, plan.legend, plan.width, plan.height - 7) end
end

local function lay_out(options, count)
  local rows = options.rows or math.ceil(math.sqrt(count))
  local cols = options.cols or math.max(1, count // rows)
  local titles, cell = titles_of(options, count), options.scale * INCH
  local row_height = cell + MARGIN + (titles and TITLE or 0)
  return {rows = rows, cols = cols, titles = titles, cell = cell, row_height = row_height,
    legend = options.legend_handles, width = MARGIN + cols * (cell + MARGIN),
    height = MARGIN + rows * row_height + (options.legend_handles and LEGEND or 0)}
end

local function check_output(options)
  if options.path and options.show then
    errors.raise(NAME .. ": expected either `path` or `show`, got both")
  elseif options.path and not plain.lower(options.path):find "%.png$" then
    errors.raise("%s: expected a file name that ends in .png, got %s", NAME,
      errors.describe(options.path))
  elseif not options.path and options.show ~= false and not display.is_open() then
    errors.raise(NAME .. ": a terminal shows no pictures; give `path`, such as \"gallery.png\"")
  end
end

local bind = arguments.named_binder(NAME, {
  {"images", "any"}, {"y_true", "any", optional = true}, {"y_pred", "any", optional = true},
  {"label_map", "any", optional = true}, {"rows", "integer", optional = true, min = 1},
  {"cols", "integer", optional = true, min = 1}, {"value_range", "list", default = {0, 255}},
  {"scale", "number", default = 2, above = 0}, {"path", "string", optional = true},
  {"show", "boolean", optional = true}, {"transparent", "boolean", default = true},
  {"dpi", "number", default = 60, min = 1}, {"legend_handles", "list", optional = true},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
}, "nested")

--- Pictures side by side, with their classes and predicted classes above them if wanted: in a PNG
-- file, or in a notebook.
-- @param images `[batch, height, width, channels]`
-- @param[opt] y_true classes, `[batch]`
-- @param[opt] y_pred predicted classes
-- @tparam[opt] table label_map names by class (from 0)
-- @tparam[opt] integer rows by default about as many as columns
-- @tparam[opt] integer cols
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt=2] number scale size of a picture in inches
-- @tparam[opt] string path ends in .png
-- @tparam[opt] boolean show in a notebook; by default where there is no `path`
-- @tparam[opt=true] boolean transparent is taken, but pictures have a white ground
-- @tparam[opt=60] number dpi pixels in an inch
-- @tparam[opt] table legend_handles `{{color = {255, 0, 0}, label = "..."}, ...}`
-- @tparam[opt] string data_format
-- @raise outside of a notebook without `path`
-- @usage cusp.visualization.plot_image_gallery(images, {path = "gallery.png"})
function gallery.plot_image_gallery(...)
  local options = bind(...)
  local images = pictures.batch(NAME, options.images, options.data_format)
  pictures.check_channels(NAME, images)
  check_output(options)
  if images.shape[1] == 0 then errors.raise(NAME .. ": there are no pictures") end
  local plan = lay_out(options, images.shape[1])
  images = in_bytes(images, options.value_range)
  local canvas <close> = pictures.canvas(NAME, plan.width, plan.height, options.dpi / INCH)
  draw_all(canvas, images, plan)
  if options.path then
    whole_file.write(options.path, canvas:finish())
  elseif options.show ~= false then
    display(pictures.of_canvas(canvas))
  end
end

return gallery
