--- A report as text.
-- @module cusp.profiler.tables
local Report = require "cusp.profiler.report"
local peaks = require "cusp.profiler.peaks"
local plain = require "cusp.base.plain"

local tables = {}

local SHOWN, WIDTH, NAME = 12, 48, 46

local function time_text(seconds)
  if seconds >= 1 then return plain.format("%.2f s", seconds) end
  if seconds >= 1e-3 then return plain.format("%.2f ms", seconds * 1e3) end
  return plain.format("%.1f us", seconds * 1e6)
end

local function bytes_text(bytes)
  if bytes >= 1e9 then return plain.format("%.2f GB", bytes / 1e9) end
  if bytes >= 1e6 then return plain.format("%.1f MB", bytes / 1e6) end
  return plain.format("%.1f KB", bytes / 1e3)
end

local function percent(fraction) return plain.format("%.0f%%", 100 * fraction) end

local function short(text, length)
  return #text <= length and text or text:sub(1, length - 3) .. "..."
end

-- A line of a table: time of one step of training, its share, rates, the fraction of the limit.
local function line(report, name, sum, dtype)
  return ("%-" .. NAME .. "s %10s %5s %9s %8s %6s"):format(short(name, NAME),
    time_text(sum.seconds / report.n_steps), percent(sum.seconds / report.kernel_seconds),
    plain.format("%.1f", sum.work / sum.seconds / 1e9),
    plain.format("%.1f", sum.bytes / sum.seconds / 1e9), percent(Report.fraction(sum, dtype)))
end

local function heading(name)
  return ("%-" .. NAME .. "s %10s %5s %9s %8s %6s"):format(name, "time", "share", "GFLOP/s", "GB/s",
    "limit")
end

local function add_operations(out, report, count)
  out[#out + 1] = "\n" .. heading "operation [kernel]"
  for i, sum in ipairs(report:by_operation()) do
    if i > count then break end
    out[#out + 1] = line(report, sum.key, sum, sum.dtype)
  end
end

local function add_layers(out, report)
  out[#out + 1] = ("\n%-" .. NAME .. "s %10s %5s %9s %8s"):format("layer", "time", "share",
    "forward", "backward")
  for i, sum in ipairs(report:by_layer()) do
    if i > 2 * SHOWN then break end
    out[#out + 1] = ("%-" .. NAME .. "s %10s %5s %9s %8s"):format(short(sum.key, NAME),
      time_text(sum.seconds / report.n_steps), percent(sum.seconds / report.kernel_seconds),
      time_text((sum.forward or 0) / report.n_steps),
      time_text((sum.backward or 0) / report.n_steps))
  end
end

local function title(step)
  local where = step.layer and " of " .. step.layer or ""
  return (step.parts and "fused " or "") .. step.name .. where
    .. (step.backward and " (backward)" or "")
end

local function add_kernels(out, report)
  out[#out + 1] = "\n" .. heading "the longest steps"
  for i, step in ipairs(report:by_kernel()) do
    if i > SHOWN then break end
    local sum = {seconds = step.own_seconds, work = step.work * step.runs,
      bytes = step.bytes * step.runs}
    out[#out + 1] = line(report, title(step), sum, step.dtype)
    out[#out + 1] = "    " .. short(step.types, 2 * WIDTH)
  end
end

local blocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

-- Working memory in the order of time, as blocks.
local function memory_line(points, most)
  local characters, count = {}, math.min(#points, WIDTH)
  for i = 1, count do
    local highest = 0
    for k = (i - 1) * #points // count + 1, i * #points // count do
      highest = math.max(highest, points[k].working)
    end
    local level = most.working > 0 and math.ceil(highest / most.working * #blocks) or 1
    characters[i] = blocks[math.max(level, 1)]
  end
  return table.concat(characters)
end

-- The points of one run of the plan that needs most.
local function one_run(points, most)
  local list, seen = {}, {}
  for _, point in ipairs(points) do
    if point.step.plan == most.step.plan then
      if seen[point.step] then break end
      seen[point.step] = true
      list[#list + 1] = point
    end
  end
  return list
end

local function add_memory(out, report)
  local points, most, live = report:memory(), nil, 0
  for _, point in ipairs(points) do
    live = math.max(live, point.live)
    if not most or point.working > most.working then most = point end
  end
  if not most then return end
  out[#out + 1] = ("\nmemory: %s at most; %s of working memory in %s"):format(bytes_text(live),
    bytes_text(most.working), title(most.step))
  out[#out + 1] = "over a step: " .. memory_line(one_run(points, most), most)
end

local function first_line(report)
  local steps, rest = report.n_steps, math.max(report.seconds - report.kernel_seconds, 0)
  local count = steps > 1 and ("%d steps, each "):format(steps) or ""
  return ("%s%s: %s in kernels, %s between them"):format(count,
    time_text(report.seconds / steps), time_text(report.kernel_seconds / steps),
    time_text(rest / steps))
end

--- The table of operations alone, of all steps together.
-- @tparam Report report
-- @tparam integer count rows at most
-- @treturn string
function tables.operations(report, count)
  local out, all = {}, setmetatable({n_steps = 1}, {__index = report})
  add_operations(out, all, count)
  return table.concat(out, "\n")
end

--- The tables of a report.
-- @tparam Report report
-- @treturn string
function tables.text(report)
  local out = {first_line(report)}
  if #report.kernels == 0 then return out[1] .. "; no plan ran" end
  out[2] = ("peak of this machine, %d thread%s: %s GFLOP/s in float32, %s GB/s"):format(
    report.threads, report.threads == 1 and "" or "s",
    plain.format("%.0f", peaks.operations() / 1e9), plain.format("%.1f", peaks.bandwidth() / 1e9))
  add_operations(out, report, SHOWN)
  add_layers(out, report)
  add_kernels(out, report)
  add_memory(out, report)
  if report.dropped > 0 then
    out[#out + 1] = ("\n%d runs had no room in the trace; the sums have them"):format(
      report.dropped)
  end
  return table.concat(out, "\n")
end

return tables
