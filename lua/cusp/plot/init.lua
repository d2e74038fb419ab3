--- Charts of training histories, as files or in the terminal.
-- @module cusp.plot
local arguments = require "cusp.base.arguments"
local display = require "cusp.base.display"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local panels = require "cusp.plot.panels"
local whole_file = require "cusp.base.whole_file"

local plot = {}

local PAGE = 560 -- width of a notebook's page in 1/72 inch

local bind = arguments.named_binder("plot", {
  {"to_file", "string", optional = true},
  {"metrics", "list", optional = true},
  {"title", "string", optional = true},
  {"yscale", "choice", choices = {"auto", "linear", "log"}, default = "auto"},
  {"width", "number", optional = true, above = 0},
  {"height", "number", optional = true, above = 0},
  {"dpi", "number", default = 144, min = 10, max = 1200},
}, false)

local function format_of(path)
  local extension = path:match "%.([^./]+)$"
  local format = extension and plain.lower(extension)
  if format ~= "png" and format ~= "svg" then
    errors.raise("plot: expected a file name that ends in .png or .svg, got %s",
      errors.describe(path))
  end
  return format
end

local function show(list, options)
  local in_terminal = engine.is_terminal(1)
  local width = options.width or math.min((in_terminal and engine.terminal_width() or 80) - 8, 100)
  io.stdout:write(require("cusp.plot.terminal").draw(list, {
    width = math.max(math.floor(width), 30), height = math.max(math.floor(options.height or 10), 3),
    title = options.title,
    color = in_terminal and not os.getenv "NO_COLOR",
  }))
end

--- Plots a history: the loss and each metric, for training and validation, by epoch.
-- @tparam History history
-- @tparam[opt] string to_file ends in .png or .svg; without it, the chart is printed in the
-- terminal, or shown in the notebook
-- @tparam[opt] {string,...} metrics to plot: "loss", "accuracy", ...; default: all
-- @tparam[opt] string title
-- @tparam[opt="auto"] string yscale "linear", "log", or "auto": logarithmic if positive values span
-- more than two powers of ten
-- @tparam[opt] number width of the picture in 1/72 inch, or of the terminal's chart in characters
-- @tparam[opt] number height in the same units; in the terminal, of one chart in lines
-- @tparam[opt=144] number dpi pixels per inch for PNG
-- @treturn History
-- @raise if the history is empty, the format unknown or the file cannot be written
-- @usage model:fit{x, y, epochs = 10}:plot "run.png"
function plot.history(history, ...)
  if type(history) ~= "table" or type(history.history) ~= "table" then
    errors.raise(
      "plot: expected the history that fit returns (history:plot \"run.png\", with a colon), got "
      .. "%s", errors.describe(history))
  end
  local options = bind(...)
  local path = options.to_file
  local format = path and format_of(path)
  local list = panels.of_history(history, options.metrics, options.yscale)
  if path then
    whole_file.write(path, require("cusp.plot.picture").draw(list, format, options))
  elseif display.is_open() then
    options.width = options.width or #list > 1 and PAGE or nil
    display.svg(require("cusp.plot.picture").draw(list, "svg", options), tostring(history))
  else
    show(list, options)
  end
  return history
end

return plot
