--- The base of callbacks that watch one value of `logs`: which it is, and what counts as better.
-- @classmod cusp.callbacks.MonitorCallback
-- @tparam[opt="val_loss"] string monitor name of the value
-- @tparam[opt="auto"] string mode "min", "max", or "auto": told from the metric
-- @tparam[opt] number baseline the value to beat at first
-- @tparam[opt=0] number min_delta what less than this changes is no improvement
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

-- Names that a value to be watched might have been meant to have.
local function candidates(logs)
  local names = {}
  for name in pairs(logs) do
    names[name] = true
    if not name:find "^val_" then names["val_" .. name] = true end
  end
  return names
end

--- The watched value; nil where it is not in `logs`.
-- @raise where its name belongs to no metric at all, and where "auto" cannot tell what is better
function MonitorCallback:value(logs)
  local current = logs[self.monitor]
  if not self.direction then
    local direction = self.mode ~= "auto" and self.mode
      or directions.of_value(self.model, self.monitor)
    if not direction and current == nil then
      errors.raise("%s: monitor = %q is no metric of the model%s; available metrics are: %s",
        self.__name, self.monitor,
        errors.suggestion(self.monitor, candidates(logs)), self:available(logs))
    end
    if not direction then
      errors.raise(
        "%s: whether %s should go up or down cannot be told from its metric; give mode = \"max\" "
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
