--- Lowers the learning rate when a value no longer improves; reports the rate as
-- `logs.learning_rate`.
-- @classmod cusp.callbacks.ReduceLROnPlateau
-- @tparam[opt="val_loss"] string monitor name of the value in `logs`
-- @tparam[opt=0.1] number factor by which to multiply the rate, below 1
-- @tparam[opt=10] integer patience lower the rate after this many epochs without improvement
-- @tparam[opt=0] integer verbose 1: print a message
-- @tparam[opt="auto"] string mode "min", "max" or "auto"
-- @tparam[opt=0.0001] number min_delta smaller changes do not count as improvement
-- @tparam[opt=0] integer cooldown number of epochs to ignore after lowering the rate
-- @tparam[opt=0] number min_lr the lowest rate
local MonitorCallback = require "cusp.callbacks.monitor_callback"
local errors = require "cusp.base.errors"
local learning_rate = require "cusp.callbacks.learning_rate"
local progress = require "cusp.base.progress"
local python = require "cusp.callbacks.python_format"
local warnings = require "cusp.base.warnings"

local ReduceLROnPlateau = MonitorCallback:extend("ReduceLROnPlateau", {
  config = {
    {"monitor", "string", default = "val_loss"}, {"factor", "number", default = 0.1, min = 0},
    {"patience", "integer", default = 10, min = 0}, {"verbose", "verbosity", default = 0},
    {"mode", "any", default = "auto"},
    {"min_delta", "number", default = 1e-4}, {"cooldown", "integer", default = 0, min = 0},
    {"min_lr", "number", default = 0.0, min = 0},
  },
})

local function start(self) self.best, self.wait, self.cooldown_counter = nil, 0, 0 end

function ReduceLROnPlateau:init(args)
  MonitorCallback.init(self, args)
  if self.factor >= 1 then
    errors.raise("ReduceLROnPlateau does not support a factor >= 1.0; got factor = %s",
      tostring(self.factor))
  end
  start(self)
end

function ReduceLROnPlateau:on_train_begin() start(self) end

--- Whether epochs are being ignored.
function ReduceLROnPlateau:in_cooldown() return self.cooldown_counter > 0 end

-- The rate is stored in single precision, so it reaches the lowest rate only in that precision.
local function single(value) return (string.unpack("<f", string.pack("<f", value))) end

local function reduce(self, epoch)
  local old = learning_rate.get("ReduceLROnPlateau", self.model)
  if old <= single(self.min_lr) then return end
  local new = math.max(old * self.factor, self.min_lr)
  learning_rate.set(self.model, new)
  if self.verbose > 0 then
    progress.say("\nEpoch %d: ReduceLROnPlateau reducing learning rate to %s.", epoch,
      python.repr(new + 0.0))
  end
  self.cooldown_counter, self.wait = self.cooldown, 0
end

function ReduceLROnPlateau:on_epoch_end(epoch, logs)
  logs.learning_rate = learning_rate.get("ReduceLROnPlateau", self.model)
  local current = self:value(logs)
  if current == nil then
    warnings.warn(
      "Learning rate reduction is conditioned on metric `%s` which is not available. Available "
      .. "metrics are: %s.",
      self.monitor, self:available(logs))
    return
  end
  if self:in_cooldown() then
    self.cooldown_counter, self.wait = self.cooldown_counter - 1, 0
  end
  if self:improves(current, self.best) then
    self.best, self.wait = current, 0
  elseif not self:in_cooldown() then
    self.wait = self.wait + 1
    if self.wait >= self.patience then reduce(self, epoch) end
  end
end

return ReduceLROnPlateau
