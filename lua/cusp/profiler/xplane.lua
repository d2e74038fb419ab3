--- Profiles in the form that TensorBoard's profile page reads: an XSpace message, as TensorFlow and
-- JAX write it. A plane has lines (threads) of events; names of events and of their figures stand
-- in tables of the plane, and the events have their numbers.
-- @module cusp.profiler.xplane
local protobuf = require "cusp.formats.protobuf"

local xplane = {}

-- Picoseconds, the unit of the format.
local function picoseconds(seconds) return math.floor(seconds * 1e12 + 0.5) end

---------------------------------------------------------------- the tables of a plane

local function number_of(list, name)
  local number = list[name]
  if not number then
    number = #list + 1
    list[name], list[number] = number, {key = number, value = {id = number, name = name}}
  end
  return number
end

local function stat(plane, name, value)
  local item = {metadata_id = number_of(plane.stat_metadata, name)}
  if type(value) == "string" then item.str_value = value
  elseif math.type(value) == "integer" then item.int64_value = value
  else item.double_value = value end
  return item
end

local function stats_of(plane, values)
  local list = {}
  for _, name in ipairs(values) do
    if values[name] ~= nil then list[#list + 1] = stat(plane, name, values[name]) end
  end
  return list
end

---------------------------------------------------------------- events

-- "sequential/dense/matmul:Matmul": the page counts what is named so by operation.
local function name_of(step)
  local last = step.parts and "fused_" .. step.name:gsub("%+", "_") or step.op
  local path = (step.layer and step.layer .. "/" or "") .. last
    .. (step.backward and "_backward" or "")
  local kind = step.parts and "Fused" or step.op:gsub("^%l", string.upper):gsub("_(%l)",
    string.upper)
  return path:gsub("[^%w_./]", "_") .. ":" .. kind
end

local function figures(step)
  return {"kernel", "shapes", "flops", "bytes_accessed", "source", "fused", kernel = step.kernel,
    shapes = step.types, flops = step.work, bytes_accessed = step.bytes,
    source = step.file and ("%s:%d"):format(step.file, step.line),
    fused = step.parts and step.name}
end

local function add_event(plane, line, name, start, seconds, values)
  line.events[#line.events + 1] = {metadata_id = number_of(plane.event_metadata, name),
    offset_ps = picoseconds(start), duration_ps = picoseconds(seconds),
    stats = stats_of(plane, values)}
end

-- Spans of the script. One with a number is a step, by which the page groups all below it.
local function add_marks(plane, line, report)
  for _, mark in ipairs(report.marks) do
    local step = mark.step_num
    add_event(plane, line, mark.name, mark.start - report.start, mark.seconds,
      {"step_num", "_r", step_num = step, _r = step and 1})
  end
end

local function memory_figures(step, bytes, change, peak)
  return {"allocator_name", "bytes_allocated", "bytes_available", "peak_bytes_in_use",
    "allocation_bytes", "requested_bytes", "fragmentation", "tf_op",
    allocator_name = "working_memory", bytes_allocated = bytes, bytes_available = peak - bytes,
    peak_bytes_in_use = peak, allocation_bytes = math.abs(change),
    requested_bytes = math.abs(change), fragmentation = 0.0, tf_op = name_of(step):match "^[^:]+"}
end

-- Working memory, for the page's memory profile: it wants each change as an event of that name.
local function add_memory(plane, line, report)
  local points, peak, last = report:memory(), 0, 0
  for _, point in ipairs(points) do peak = math.max(peak, point.working) end
  for _, point in ipairs(points) do
    local change = point.working - last
    last = point.working
    if change ~= 0 then
      add_event(plane, line, change > 0 and "MemoryAllocation" or "MemoryDeallocation", point.time,
        0, memory_figures(point.step, point.working, change, peak))
    end
  end
end

-- The events of a line stand in the order of their starts, what is around others first.
local function in_order(line)
  table.sort(line.events, function(a, b)
    if a.offset_ps ~= b.offset_ps then return a.offset_ps < b.offset_ps end
    return a.duration_ps > b.duration_ps
  end)
end

local function new_line(id, name, report)
  return {id = id, name = name, display_name = name, timestamp_ns = report.wall_ns,
    duration_ps = picoseconds(report.seconds), events = {}}
end

-- What travels between processes meanwhile has a line of its own.
local function communication_line(plane, report)
  for _, event in ipairs(report.events) do
    if event.kind == "travel" then
      local line = new_line(2, "communication", report)
      plane.lines[2] = line
      return line
    end
  end
end

local function add_plans(plane, line, report)
  local communication = communication_line(plane, report)
  for _, event in ipairs(report.events) do
    local step = report.steps[event.step]
    local start = event.start - report.start
    if event.kind == "travel" then
      add_event(plane, communication, name_of(step), start, event.seconds, {})
    elseif event.kind == "wait" then
      add_event(plane, line, "wait for " .. name_of(step), start, event.seconds, {})
    elseif step.kernel then
      add_event(plane, line, name_of(step), start, event.seconds, figures(step))
    else
      add_event(plane, line, "plan " .. step.plan, start, event.seconds, {})
    end
  end
end

--- The bytes of a report.
-- @tparam Report report
-- @tparam string host its name
-- @treturn string
function xplane.encode(report, host)
  local plane = {id = 1, name = "/host:CPU", lines = {}, event_metadata = {}, stat_metadata = {}}
  local line = new_line(1, "script", report)
  plane.lines[1] = line
  add_plans(plane, line, report)
  add_marks(plane, line, report)
  add_memory(plane, line, report)
  for _, each in ipairs(plane.lines) do in_order(each) end
  return protobuf.encode("tensorflow.profiler.XSpace", {planes = {plane}, hostnames = {host}})
end

return xplane
