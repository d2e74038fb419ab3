--- A progress bar for loops of one's own, as `fit` draws one.
-- On a terminal it is redrawn in place; elsewhere the finished line is written alone.
-- @classmod cusp.utils.Progbar
-- @tparam ?integer target number of steps; `cusp.null` where it is not known
-- @tparam[opt=20] integer width of the bar
-- @tparam[opt=1] integer verbose 0: nothing, 1: a bar, 2: a line at the end
-- @tparam[opt=0.05] number interval seconds between two redraws
-- @tparam[opt] table stateful_metrics names of values that are shown as they are; others are
-- averaged over the steps
-- @tparam[opt] table stateless_metrics names of values that are averaged; others are shown as they
-- are
-- @tparam[opt="step"] string unit_name
-- @usage
-- local bar = cusp.utils.Progbar{100}
-- for step = 1, 100 do bar:update(step, {{"loss", loss}}) end
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local progress = require "cusp.base.progress"

local Progbar = Object:extend("Progbar", {
  config = {
    {"target", "integer", optional = true, min = 0}, {"width", "integer", default = 20, min = 1},
    {"verbose", "integer", default = 1, min = 0, max = 2},
    {"interval", "number", default = 0.05, min = 0},
    {"stateful_metrics", "list", list_of = "string", optional = true},
    {"stateless_metrics", "list", list_of = "string", optional = true},
    {"unit_name", "string", default = "step"},
  },
})

local function set(list)
  local result = {}
  for _, name in ipairs(list or {}) do result[name] = true end
  return result
end

function Progbar:init(args)
  Object.configure(self, args, Progbar)
  if self.stateful_metrics and self.stateless_metrics then
    errors.raise "Progbar: only one of stateful_metrics and stateless_metrics can be given"
  end
  local averaged, shown = set(self.stateless_metrics), set(self.stateful_metrics)
  local all = self.stateless_metrics == nil
  rawset(self, "_averages", function(name) return all and not shown[name] or averaged[name] end)
  rawset(self, "_names", {})
  rawset(self, "_sums", {})
  rawset(self, "_seen", 0)
  rawset(self, "_bar", progress.new{target = self.target, verbose = self.verbose,
    width = self.width, interval = self.interval, unit = self.unit_name})
end

local function number_of(name, value)
  if type(value) == "userdata" then value = value:mean():item() end
  if type(value) ~= "number" then
    errors.raise("Progbar.update: the value of '%s' should be a number, got %s", tostring(name),
      errors.describe(value))
  end
  return value
end

local function take(self, name, value, current, finished)
  local sums = self._sums
  if not sums[name] then
    table.insert(self._names, name)
    sums[name] = {0, 0}
  end
  if not self._averages(name) or finished then
    sums[name] = {value, 1}
    return
  end
  local steps = math.max(current - self._seen, 1)
  sums[name] = {sums[name][1] + value * steps, sums[name][2] + steps}
end

local bind_update = arguments.binder("Progbar.update", {
  {"current", "integer", min = 0}, {"values", "list", optional = true},
  {"finalize", "boolean", optional = true},
}, false)

--- Says that so many steps are done.
-- @tparam integer current
-- @tparam[opt] table values pairs `{name, value of the last step}`
-- @tparam[opt] boolean finalize whether the line is ended; where the target is reached by default
function Progbar:update(...)
  local current, values, finalize = bind_update(...)
  if finalize == nil then finalize = self.target ~= nil and current >= self.target end
  for _, pair in ipairs(values or {}) do
    if not kinds.is_plain(pair) or type(pair[1]) ~= "string" then
      errors.raise("Progbar.update: expected pairs {name, value}, got %s", errors.describe(pair))
    end
    take(self, pair[1], number_of(pair[1], pair[2]), current, finalize)
  end
  rawset(self, "_seen", current)
  local logs = {}
  for name, sum in pairs(self._sums) do logs[name] = sum[1] / math.max(1, sum[2]) end
  self._bar:update(current, self._names, logs)
  if finalize then self._bar:finish(self._names, logs) end
end

local bind_add = arguments.binder("Progbar.add", {
  {"n", "integer"}, {"values", "list", optional = true},
}, false)

--- Says that so many more steps are done.
-- @tparam integer n
-- @tparam[opt] table values
function Progbar:add(...)
  local n, values = bind_add(...)
  self:update(self._seen + n, values)
end

return Progbar
