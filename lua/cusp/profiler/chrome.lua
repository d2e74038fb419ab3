--- Chrome traces: the JSON of `chrome://tracing` and ui.perfetto.dev.
-- @module cusp.profiler.chrome
local json = require "cusp.formats.json"
local whole_file = require "cusp.base.whole_file"

local chrome = {}

local PROCESS, PLANS, MARKS, COMMUNICATION = 1, 1, 2, 3

local function complete(name, thread, start, seconds, args)
  return {name = name, ph = "X", pid = PROCESS, tid = thread, ts = start * 1e6,
    dur = seconds * 1e6, args = args}
end

local function label(name, thread, text)
  return {name = name, ph = "M", pid = PROCESS, tid = thread, args = {name = text}}
end

-- What is told of a step when it is clicked on.
local function details(step)
  if not step.kernel then return {steps = "plan " .. step.plan} end
  local parts
  for i, part in ipairs(step.parts or {}) do
    parts = parts or {}
    parts[i] = (part.layer and part.layer .. ": " or "") .. part.op
      .. (part.backward and " (backward)" or "")
  end
  return {kernel = step.kernel, types = step.types, layer = step.layer,
    direction = step.backward and "backward" or "forward", fused = parts,
    source = step.file and ("%s:%d"):format(step.file, step.line),
    flops = step.work, bytes = step.bytes}
end

--- The events of a report, for JSON.
-- @tparam Report report
-- @treturn table
function chrome.events(report)
  local list = {label("process_name", PLANS, "Cusp"), label("thread_name", PLANS, "plans"),
    label("thread_name", MARKS, "script"),
    label("thread_name", COMMUNICATION, "communication")}
  for _, event in ipairs(report.events) do
    local step = report.steps[event.step]
    local name = (step.layer and step.layer .. "/" or "") .. step.name
    local start = event.start - report.start
    list[#list + 1] = complete((event.kind == "wait" and "wait for " or "") .. name,
      event.kind == "travel" and COMMUNICATION or PLANS, start, event.seconds, details(step))
    if step.kernel and not event.kind then
      list[#list + 1] = {name = "memory", ph = "C", pid = PROCESS, ts = start * 1e6,
        args = {working = step.arena_bytes}}
    end
  end
  for _, mark in ipairs(report.marks) do
    list[#list + 1] = complete(mark.name, MARKS, mark.start - report.start, mark.seconds,
      {step_num = mark.step_num})
  end
  return {displayTimeUnit = "ms", traceEvents = list}
end

--- Writes the trace of a report.
-- @tparam Report report
-- @tparam string path
function chrome.write(report, path)
  whole_file.write(path, json.encode(chrome.events(report)))
end

return chrome
