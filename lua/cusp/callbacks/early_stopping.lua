--- Stops training when a value no longer improves.
-- @classmod cusp.callbacks.EarlyStopping
-- @tparam[opt="val_loss"] string monitor name of the value in `logs`
-- @tparam[opt=0] number min_delta smaller changes do not count as improvement
-- @tparam[opt=0] integer patience stop after this many epochs without improvement
-- @tparam[opt=0] integer verbose 1: print a message
-- @tparam[opt="auto"] string mode "min", "max" or "auto"
-- @tparam[opt] number baseline the value to beat
-- @tparam[opt=false] boolean restore_best_weights whether to restore the weights of the best epoch
-- when training ends
-- @tparam[opt=0] integer start_from_epoch number of epochs to ignore at the beginning
-- @usage
-- callbacks.EarlyStopping{monitor = "val_accuracy", patience = 3, restore_best_weights = true}
-- -- afterwards: stopping.stopped_epoch (0 where training ran to its end), stopping.best,
-- -- stopping.best_epoch
local MonitorCallback = require "cusp.callbacks.monitor_callback"
local progress = require "cusp.base.progress"
local warnings = require "cusp.base.warnings"

local EarlyStopping = MonitorCallback:extend("EarlyStopping", {
  config = {
    {"monitor", "string", default = "val_loss"}, {"min_delta", "number", default = 0},
    {"patience", "integer", default = 0, min = 0},
    {"verbose", "verbosity", default = 0}, {"mode", "any", default = "auto"},
    {"baseline", "number", optional = true},
    {"restore_best_weights", "boolean", default = false},
    {"start_from_epoch", "integer", default = 0, min = 0},
  },
})

local function start(self)
  self.wait, self.stopped_epoch, self.best, self.best_weights, self.best_epoch = 0, 0, nil, nil, 0
end

function EarlyStopping:init(args)
  MonitorCallback.init(self, args)
  start(self)
end

function EarlyStopping:on_train_begin() start(self) end

local function keep(self, epoch)
  self.best_weights, self.best_epoch = self.model:get_weights(), epoch
end

function EarlyStopping:on_epoch_end(epoch, logs)
  logs = logs or {}
  local current = self:value(logs)
  if current == nil then
    warnings.warn(
      "Early stopping conditioned on metric `%s` which is not available. Available metrics are: %s",
      self.monitor,
      self:available(logs))
    return
  end
  if epoch <= self.start_from_epoch then return end
  if self.restore_best_weights and not self.best_weights then keep(self, epoch) end
  self.wait = self.wait + 1
  if self:improves(current, self.best) then
    self.best, self.best_epoch = current, epoch
    if self.restore_best_weights then keep(self, epoch) end
    if self.baseline == nil or self:improves(current, self.baseline) then self.wait = 0 end
  elseif self.wait >= self.patience and epoch > 1 then
    self.stopped_epoch = epoch
    self.model.stop_training = true
  end
end

function EarlyStopping:on_train_end()
  if self.stopped_epoch > 0 and self.verbose > 0 then
    progress.say("Epoch %d: early stopping", self.stopped_epoch)
  end
  if not self.best_weights then return end
  if self.verbose > 0 then
    progress.say("Restoring model weights from the end of the best epoch: %d.", self.best_epoch)
  end
  self.model:set_weights(self.best_weights)
end

return EarlyStopping
