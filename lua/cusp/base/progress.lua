--- The progress line of fit, evaluate and predict:
--    320/1000 [=========>....................] - ETA: 0s - loss: 2.3012 - accuracy: 0.1100
-- On a terminal it is redrawn in place, at most 20 times a second; otherwise only the finished line
-- is written.
-- @module cusp.base.progress
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local plain = require "cusp.base.plain"
local replicas = require "cusp.base.replicas"
local warnings = require "cusp.base.warnings"

local progress = {}

local Bar = {}
Bar.__index = Bar

--- Seconds between redraws.
progress.interval = 0.05

--- Where lines are drawn instead of standard output: `surface(bar, line, finished)`; the notebook
-- sets it.
progress.surface = nil

local bar_width, shortest_bar = 30, 5

local function write_out(text)
  if config.is_interactive_logging_enabled() then io.stdout:write(text):flush() end
end

--- A new bar.
-- @tparam table options `target`: number of steps, or nil if unknown; `verbose`: 0, 1 or 2;
-- `dynamic`: whether to redraw in place (whether standard output is a terminal); `columns` of the
-- terminal; `write`: function that takes text; `width` of the bar; `interval`; `unit`: "step"
function progress.new(options)
  local dynamic = options.dynamic
  if dynamic == nil then dynamic = progress.surface ~= nil or engine.is_terminal(1) end
  local now = engine.monotonic()
  return setmetatable({
    target = options.target, verbose = options.verbose or 1, dynamic = dynamic,
    columns = options.columns, width = options.width or bar_width,
    interval = options.interval or progress.interval, unit = options.unit or "step",
    write = options.write or write_out,
    started = now, drawn_at = 0, drawn_width = 0, seen = 0, before = 0,
  }, Bar)
end

--- A number as shown in the progress line: four decimals, or an exponent if those would all be
-- zero.
-- @treturn string
function progress.format_value(value)
  if type(value) == "table" then
    local parts = {}
    for i = 1, #value do parts[i] = progress.format_value(value[i]) end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  if type(value) ~= "number" then return tostring(value) end
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" elseif value == -math.huge then return "-inf" end
  return plain.format(math.abs(value) > 1e-3 and "%.4f" or "%.4e", value)
end

--- A time in a suitable unit: "2s", "13ms", "31us".
-- @tparam number seconds
function progress.format_time(seconds)
  if seconds >= 1 or seconds == 0 then return plain.format("%.0fs", seconds) end
  if seconds >= 1e-3 then return plain.format("%.0fms", seconds * 1e3) end
  return plain.format("%.0fus", seconds * 1e6)
end

local function format_eta(seconds)
  seconds = seconds // 1 | 0
  if seconds > 3600 then
    return ("%d:%02d:%02d"):format(seconds // 3600, seconds % 3600 // 60, seconds % 60)
  end
  if seconds > 60 then return ("%d:%02d"):format(seconds // 60, seconds % 60) end
  return seconds .. "s"
end

local function format_logs(names, logs)
  local parts = {}
  for _, name in ipairs(names) do
    if logs[name] ~= nil then
      parts[#parts + 1] = (" - %s: %s"):format(name, progress.format_value(logs[name]))
    end
  end
  return table.concat(parts)
end

local function count_text(self, finished)
  if not self.target then
    return (finished and "%d/%d" or "%d/Unknown"):format(self.seen, self.seen)
  end
  return (("%%%dd/%%d"):format(#tostring(self.target))):format(self.seen, self.target)
end

local function bar_text(self, finished, width)
  local count = count_text(self, finished)
  if not self.target and not finished then return count end
  local full = finished and width or math.floor(width * self.seen / self.target)
  if full >= width then return ("%s [%s]"):format(count, ("="):rep(width)) end
  local head = full > 0 and ("="):rep(full - 1) .. ">" or ""
  return ("%s [%s%s]"):format(count, head, ("."):rep(width - full))
end

---------------------------------------------------------------- stepping aside

-- The bar whose line is unfinished on the terminal.
local open_bar

-- `print` and `io.write` as they were before a bar's line stood there, and what they are meanwhile.
local before, meanwhile

-- Takes the bar off its line; it is drawn again below what is written now.
local function step_aside()
  local bar = open_bar
  if bar then bar:erase() end
end

local function restore()
  if not before then return end
  if _G.print == meanwhile.print then _G.print = before.print end
  if io.write == meanwhile.write then rawset(io, "write", before.write) end
  before, meanwhile = nil, nil
end

-- What a program writes while a bar stands there comes in its place.
local function divert()
  if before then return end
  local own_print, own_write = _G.print, io.write
  before = {print = own_print, write = own_write}
  meanwhile = {
    print = function(...)
      step_aside()
      return own_print(...)
    end,
    write = function(...)
      step_aside()
      return own_write(...)
    end,
  }
  _G.print = meanwhile.print
  rawset(io, "write", meanwhile.write)
end

local function open(bar)
  open_bar = bar
  if bar then divert() else restore() end
end

--- Ends an unfinished line, so that other output can be written; the bar continues below it.
function progress.break_line()
  local bar = open_bar
  open(nil)
  if bar then bar:abandon() end
end

warnings.before = progress.break_line

--- Writes a line of text to standard output.
-- @tparam string message a format for string.format; an empty line before it is dropped if it only
-- served to end a bar
-- @param ... arguments of the format
function progress.say(message, ...)
  if replicas.is_silent() then return end
  local text = select("#", ...) > 0 and plain.format(message, ...) or message
  if open_bar then text = text:gsub("^\n", "") end
  progress.break_line()
  write_out(text .. "\n")
end

-- Writes the line, in place on a terminal, and blanks out the rest of a longer previous line. On a
-- narrow terminal the bar shrinks and the line is then cut, since a wrapped line could not be
-- redrawn.
local function draw(self, rest, finished)
  if self.dynamic and open_bar ~= self then progress.break_line() end
  local line = bar_text(self, finished, self.width) .. rest
  if progress.surface and self.write == write_out then
    if self.dynamic and config.is_interactive_logging_enabled() then
      progress.surface(self, line, finished)
    end
    return
  end
  if not self.dynamic then
    if finished then self.write(line .. "\n") end
    return
  end
  local columns = self.columns or engine.terminal_width()
  if not finished and columns and columns > 1 and #line >= columns then
    line = bar_text(self, false, math.max(shortest_bar, self.width - (#line - columns + 1))) .. rest
    line = line:sub(1, columns - 1)
  end
  local padding = (" "):rep(math.max(0, self.drawn_width - #line))
  self.write("\r" .. line .. padding .. (finished and "\n" or ""))
  self.drawn_width = finished and 0 or #line
  open(not finished and self or nil)
end

--- Whether a redraw is due and would show anything new.
function Bar:due()
  return self.verbose == 1 and self.dynamic
    and engine.monotonic() - self.drawn_at >= self.interval
end

--- Reports that `seen` steps are done, and redraws when due.
-- @tparam integer seen steps done
-- @tparam {string,...} names of the values to show, in order
-- @tparam table|function logs the values by name, or a function that returns them (called only when
-- needed)
function Bar:update(seen, names, logs)
  self.seen, self.seen_at = seen, engine.monotonic()
  if not self:due() then return end
  self.drawn_at = self.seen_at
  if type(logs) == "function" then logs = logs() end
  if type(names) == "function" then names = names() end
  local elapsed = self.drawn_at - self.started
  local per_step = elapsed / math.max(seen - self.before, 1)
  local time
  if self.target then
    time = " - ETA: " .. format_eta(per_step * (self.target - seen))
  else
    time = (" - %s %s/%s"):format(progress.format_time(elapsed), progress.format_time(per_step),
      self.unit)
  end
  draw(self, time .. format_logs(names, logs or {}), false)
end

--- Ends the line with the time per step and the final values.
function Bar:finish(names, logs)
  if self.verbose == 0 then return end
  local elapsed = engine.monotonic() - self.started
  -- Work after the last step, such as validation, does not count in the time per step.
  local stepping = (self.seen_at or engine.monotonic()) - self.started
  local per_step = (" %s/%s"):format(progress.format_time(stepping
    / math.max(self.seen - self.before, 1)), self.unit)
  local values = format_logs(names, logs or {})
  if self.verbose == 2 then
    self.write(plain.format("%s - %.0fs -%s%s\n", count_text(self, true), elapsed, per_step,
      values))
  else
    draw(self, plain.format(" - %.0fs%s%s", elapsed, per_step, values), true)
  end
end

--- Ends a line that was being redrawn after an error or interrupt.
function Bar:abandon()
  if open_bar == self then open(nil) end
  if self.drawn_width > 0 then self.write "\n" end
  self.drawn_width = 0
end

--- Leaves an empty line where the bar was; it is due again at once.
function Bar:erase()
  if open_bar == self then open(nil) end
  self.write("\r" .. (" "):rep(self.drawn_width) .. "\r")
  self.drawn_width, self.drawn_at = 0, 0
end

return progress
