--- The output handler for busted: a mark as each test ends, then the failures, then "N passed, N
-- failed" as the last line.
local busted = require "busted"
local base = require "busted.outputHandlers.base"

local marks = {success = ".", failure = "F", error = "E", pending = "p"}

local function write(...)
  io.stdout:write(...)
  io.stdout:flush()
end

local function place(report)
  local trace = report.element.trace
  if trace and trace.short_src then
    return trace.short_src .. ":" .. trace.currentline
  end
  return "?"
end

local function describe(kind, report)
  write("\n", kind, " ", place(report), "\n  ", report.name, "\n")
  local message = report.message
  if type(message) ~= "string" then
    message = require("pl.pretty").write(message)
  end
  write("  ", (message:gsub("\n", "\n  ")), "\n")
  if report.isError and report.trace and report.trace.traceback then
    write("  ", (report.trace.traceback:gsub("\n", "\n  ")), "\n")
  end
end

return function()
  local handler = base()
  local column = 0

  local function test_end(_, _, status)
    write(marks[status] or "?")
    column = column + 1
    if column % 120 == 0 then
      write("\n")
    end
    return nil, true
  end

  local function suite_end()
    write("\n")
    for _, report in ipairs(handler.pendings) do
      write("pending ", place(report), " ", report.name, "\n")
    end
    for _, report in ipairs(handler.failures) do
      describe("FAILED", report)
    end
    for _, report in ipairs(handler.errors) do
      describe("ERROR", report)
    end
    write(("%d passed, %d failed\n"):format(handler.successesCount,
      handler.failuresCount + handler.errorsCount))
    return nil, true
  end

  busted.subscribe({"test", "end"}, test_end, {predicate = handler.cancelOnPending})
  busted.subscribe({"suite", "end"}, suite_end)
  return handler
end
