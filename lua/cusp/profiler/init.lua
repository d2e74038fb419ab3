--- Profiles: where the time of a program goes, by operation, layer and kernel, beside what the
-- machine can do; and memory over time. `model:profile{...}` is the short way for a model.
--
-- The names are those of `tf.profiler.experimental`. Nothing is measured, and nothing costs time,
-- while no profile is being recorded.
-- @module cusp.profiler
-- @usage
-- cusp.profiler.start "logs"
-- model:fit{x, y}
-- print(cusp.profiler.stop())
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local profiler = {}

local current -- what is being recorded: `logdir`, `start`, `wall_ns`, `marks`

local bind_start = arguments.binder("profiler.start", {
  {"logdir", "string", optional = true}, {"options", "any", optional = true},
})

--- Begins to record what this thread's plans do.
-- @tparam[opt] string logdir of TensorBoard, where `stop` writes the profile; nil: nowhere
-- @param[opt] options accepted as in TensorFlow
-- @raise if a profile is being recorded already
function profiler.start(...)
  local logdir = bind_start(...)
  if engine.profiling() then
    errors.raise "profiler.start: a profile is being recorded already; stop() ends it"
  end
  if logdir then engine.files.make_directories(logdir) end
  engine.profile_start()
  current = {logdir = logdir, start = engine.monotonic(), wall_ns = os.time() * 1000000000,
    marks = {}}
end

--- Whether a profile is being recorded.
-- @treturn boolean
function profiler.is_running() return engine.profiling() end

--- Ends what `start` began, and writes it to its folder.
-- @tparam[opt=true] boolean save whether it is written
-- @treturn Report `print` shows its tables
-- @raise if no profile is being recorded, or it cannot be written
function profiler.stop(save)
  local record, about = engine.profile_stop(), current
  current = nil
  if not record then
    errors.raise "profiler.stop: no profile is being recorded; start() begins one"
  end
  about.seconds = engine.monotonic() - about.start
  local Report = require "cusp.profiler.report"
  local report = Report.new(record, about)
  if about.logdir and save ~= false then report.folder = report:save(about.logdir) end
  return report
end

--- Calls a function and profiles what it does.
-- @tparam[opt] string logdir as for `start`; it may be left out
-- @tparam function f
-- @param ... its arguments
-- @treturn Report
-- @usage print(cusp.profiler.trace(function() model:predict{x} end))
function profiler.trace(logdir, f, ...)
  if type(logdir) == "function" then return profiler.trace(nil, logdir, f, ...) end
  if type(f) ~= "function" then
    errors.raise("profiler.trace: expected a function that is profiled, got %s", errors.describe(f))
  end
  profiler.start(logdir)
  local results = table.pack(engine.attempt(f, ...))
  if not results[1] then
    profiler.stop(false)
    error(results[2], 0)
  end
  return profiler.stop()
end

--- A profile of a block: begins where it is made, ends where the block ends.
-- @type Profile
-- @tparam[opt] string logdir
-- @usage
-- do
--   local profile <close> = cusp.profiler.Profile "logs"
--   model:fit{x, y}
-- end
local Profile = Object:extend("Profile", {
  config = {{"logdir", "string", optional = true}},
  init = function(self, args)
    Object.configure(self, args)
    profiler.start(self.logdir)
    self.open = true
  end,
})
profiler.Profile = Profile

--- Ends the profile; its `report` has what was recorded. Of a block that failed nothing is written.
function Profile:close(problem)
  if not self.open then return end
  self.open = false
  self.report = profiler.stop(problem == nil)
end
Profile.__close = Profile.close

--- A name for a span of the script in the trace; with `step_num`, the page shows it as a step.
-- @type Trace
-- @tparam string name
-- @tparam[opt] integer step_num
-- @usage
-- for step = 1, 10 do
--   local span <close> = cusp.profiler.Trace{"train", step_num = step}
--   model:train_on_batch(x, y)
-- end
local Trace = Object:extend("Trace", {
  config = {{"name", "string"}, {"step_num", "integer", optional = true}},
  init = function(self, args)
    Object.configure(self, args)
    self.start = engine.monotonic()
  end,
})
profiler.Trace = Trace

--- Ends the span.
function Trace:close()
  if not self.start or not current then return end
  table.insert(current.marks, {name = self.name, step_num = self.step_num, start = self.start,
    seconds = engine.monotonic() - self.start})
  self.start = nil
end
Trace.__close = Trace.close

return profiler
