--- What was profiled: the steps of plans, summed up by operation, by layer and one by one, beside
-- what the machine can do. `print(report)` shows it as tables.
-- @classmod cusp.profiler.Report
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local peaks = require "cusp.profiler.peaks"
local places = require "cusp.layers.machinery.places"

local Report = {__name = "cusp.profiler.Report"}
Report.__index = Report

-- Operations whose sums of products go as fast as those of matrices.
local narrow = {bfloat16 = "bfloat16", float64 = "float64"}

---------------------------------------------------------------- names

-- "sequential/dense", "optimizer"; nil where no layer made it.
local function owner_of(origin) return origin.place and places.name(origin.place) end

-- The names of what a fused loop does, each once, in their order.
local function names_of_parts(parts)
  local names, seen = {}, {}
  for _, part in ipairs(parts) do
    if not seen[part.op] then
      seen[part.op] = true
      names[#names + 1] = part.op
    end
  end
  return table.concat(names, "+")
end

local function add_name(step)
  step.name = step.parts and names_of_parts(step.parts) or step.op
  step.layer = owner_of(step)
  for _, part in ipairs(step.parts or {}) do part.layer = owner_of(part) end
end

---------------------------------------------------------------- sums

local function empty(key)
  return {key = key, runs = 0, seconds = 0, work = 0, bytes = 0}
end

local function add(sum, step, share)
  sum.seconds = sum.seconds + step.own_seconds * share
  sum.work = sum.work + step.work * step.runs * share
  sum.bytes = sum.bytes + step.bytes * step.runs * share
end

local function by_time(sums)
  local list = {}
  for _, sum in pairs(sums) do list[#list + 1] = sum end
  table.sort(list, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.key < b.key
  end)
  return list
end

-- The steps of plans: what is no plan itself, and ran.
local function kernels_of(steps)
  local list = {}
  for _, step in ipairs(steps) do
    if step.kernel and step.runs > 0 then list[#list + 1] = step end
  end
  return list
end

--- Sums by operation; a fused loop counts under the names of what it does.
-- @treturn {table,...} `key`, `runs`, `seconds`, `work` (floating point operations), `bytes`; the
-- longest first
function Report:by_operation()
  local sums = {}
  for _, step in ipairs(self.kernels) do
    local key = step.parts and "fused " .. step.name or ("%s [%s]"):format(step.op, step.kernel)
    sums[key] = sums[key] or empty(key)
    sums[key].runs, sums[key].dtype = sums[key].runs + step.runs, step.dtype
    add(sums[key], step, 1)
  end
  return by_time(sums)
end

--- Sums by layer, or part of a step such as "optimizer"; the time of a fused loop is divided evenly
-- among what it does.
-- @treturn {table,...} as `by_operation`, with `forward` and `backward`, seconds
function Report:by_layer()
  local sums = {}
  for _, step in ipairs(self.kernels) do
    local parts = step.parts or {step}
    for _, part in ipairs(parts) do
      local key = part.layer or "(other)"
      local sum = sums[key] or empty(key)
      sums[key], sum.runs = sum, sum.runs + step.runs
      add(sum, step, 1 / #parts)
      local direction = part.backward and "backward" or "forward"
      sum[direction] = (sum[direction] or 0) + step.own_seconds / #parts
    end
  end
  return by_time(sums)
end

--- The steps of plans, one by one: what a kernel did with which shapes.
-- @treturn {table,...} `op`, `kernel`, `name`, `types`, `layer`, `backward`, `parts` (of a fused
-- loop), `file`, `line`, `runs`, `own_seconds`, `work`, `bytes` (of one run), `arena_bytes` (in use
-- meanwhile); the longest first
function Report:by_kernel()
  local list = table.move(self.kernels, 1, #self.kernels, 1, {})
  table.sort(list, function(a, b) return a.own_seconds > b.own_seconds end)
  return list
end

---------------------------------------------------------------- memory

--- Bytes in use over time: of a run of a plan, what is alive in its working memory, and of the
-- whole engine.
-- @treturn {table,...} `time` in seconds since the start, `working`, `live`, `step`
function Report:memory()
  local list = {}
  for _, event in ipairs(self.events) do
    local step = self.steps[event.step]
    if step.kernel and not event.kind then
      list[#list + 1] = {time = event.start - self.start, working = step.arena_bytes,
        live = event.live_bytes, step = step}
    end
  end
  table.sort(list, function(a, b) return a.time < b.time end)
  return list
end

---------------------------------------------------------------- making

--- The fraction of what the machine can do: the longer of the time that the operations and the
-- bytes take at best, divided by the time taken.
-- @tparam table sum with `seconds`, `work`, `bytes`
-- @tparam[opt] string dtype
function Report.fraction(sum, dtype)
  if sum.seconds == 0 then return 0 end
  local best = math.max(sum.work / peaks.operations(narrow[dtype]),
    sum.bytes / peaks.bandwidth())
  return best / sum.seconds
end

-- The plan that took most of the time of those that run by themselves; nil where none ran.
local function longest_plan(record)
  local longest
  for _, event in ipairs(record.events) do
    local plan = record.steps[event.step]
    if event.depth == 0 and not plan.kernel and (not longest or plan.seconds > longest.seconds) then
      longest = plan
    end
  end
  return longest
end

-- Without steps of the script's own, each run of the longest plan is one.
local function find_steps(record, marks)
  local count = 0
  for _, mark in ipairs(marks) do count = count + (mark.step_num and 1 or 0) end
  local longest = count == 0 and longest_plan(record)
  if not longest then return math.max(count, 1) end
  for _, event in ipairs(record.events) do
    if record.steps[event.step] == longest and event.depth == 0 then
      count = count + 1
      marks[#marks + 1] = {name = "step", step_num = count, start = event.start,
        seconds = event.seconds}
    end
  end
  return count
end

--- Makes a report of what the engine recorded.
-- @tparam table record what `engine.profile_stop` gives
-- @tparam table about `start`, `wall_ns`, `seconds`, `marks`
-- @local
function Report.new(record, about)
  local self = setmetatable({steps = record.steps, events = record.events,
    dropped = record.dropped, start = about.start, seconds = about.seconds, marks = about.marks,
    wall_ns = about.wall_ns, n_steps = find_steps(record, about.marks),
    threads = engine.get_num_threads()}, Report)
  for _, step in ipairs(self.steps) do add_name(step) end
  self.kernels = kernels_of(self.steps)
  self.kernel_seconds = 0
  for _, step in ipairs(self.kernels) do
    self.kernel_seconds = self.kernel_seconds + step.own_seconds
  end
  return self
end

--- Writes what was profiled as a Chrome trace, for `chrome://tracing` or ui.perfetto.dev.
-- @tparam string path
function Report:save_trace(path)
  if type(path) ~= "string" then
    errors.raise("save_trace: expected the path of a file, got %s", errors.describe(path))
  end
  require("cusp.profiler.chrome").write(self, path)
end

--- Writes the files of TensorBoard's profile page.
-- @tparam string logdir of TensorBoard; a run `plugins/profile/DATE_TIME` is made there
-- @treturn string the folder of the run
function Report:save(logdir)
  if type(logdir) ~= "string" then
    errors.raise("save: expected a folder, got %s", errors.describe(logdir))
  end
  return require("cusp.profiler.files").write(self, logdir)
end

function Report:__tostring() return require("cusp.profiler.tables").text(self) end

return Report
