--- The base of callbacks that monitor one value of `logs`: finds it, and decides what is better.
-- @classmod cusp.callbacks.MonitorCallback
-- @tparam[opt="val_loss"] string monitor name of the value
-- @tparam[opt="auto"] string mode "min", "max", or "auto": derived from the metric
-- @tparam[opt] number baseline the value to beat at first
-- @tparam[opt=0] number min_delta smaller changes do not count as improvement
local Callback = require "cusp.callbacks.callback"
local directions = require "cusp.callbacks.directions"
local errors = require "cusp.base.errors"
local log_names = require "cusp.callbacks.log_names"
local warnings = require "cusp.base.warnings"

local MonitorCallback = Callback:extend("MonitorCallback", {
  config = {
    {"monitor", "string", default = "val_loss"}, {"mode", "any", default = "auto"},
    {"baseline", "number", optional = true},
    {"min_delta", "number", default = 0},
  },
})

local modes = {"auto", "min", "max"}

function MonitorCallback:init(args)
  self:configure(args)
  if self.mode ~= "auto" and self.mode ~= "min" and self.mode ~= "max" then
    warnings.warn("%s mode '%s' is unknown%s, fallback to auto mode.", self.__name,
      tostring(self.mode),
      errors.suggestion(self.mode, modes))
    self.mode = "auto"
  end
  self.min_delta = math.abs(self.min_delta or 0)
end

--- The names in `logs`, joined by commas.
function MonitorCallback:available(logs)
  local reported = self.model and self.model.metric_result_names
    and self.model:metric_result_names() or {}
  return table.concat(log_names(reported, logs), ",")
end

-- Names that the user may have meant to monitor.
local function candidates(logs)
  local names = {}
  for name in pairs(logs) do
    names[name] = true
    if not name:find "^val_" then names["val_" .. name] = true end
  end
  return names
end

--- The monitored value; nil if it is not in `logs`.
-- @raise if no metric has that name, or if "auto" cannot decide what is better
function MonitorCallback:value(logs)
  local current = logs[self.monitor]
  if not self.direction then
    local direction = self.mode ~= "auto" and self.mode
      or directions.of_value(self.model, self.monitor)
    if not direction and current == nil then
      errors.raise("%s: monitor = %q is not a metric of the model%s; available metrics are: %s",
        self.__name, self.monitor,
        errors.suggestion(self.monitor, candidates(logs)), self:available(logs))
    end
    if not direction then
      errors.raise(
        "%s: cannot tell from the metric whether %s should go up or down; pass mode = \"max\" "
        .. "or mode = \"min\"", self.__name,
        self.monitor)
    end
    self.direction = direction
  end
  return current
end

--- Whether a value is better than another by more than `min_delta`; anything is better than nil.
function MonitorCallback:improves(value, reference)
  if reference == nil then return true end
  if self.direction == "max" then return value - self.min_delta > reference end
  return value + self.min_delta < reference
end

return MonitorCallback
