--- Sets the learning rate at the beginning of each epoch and reports it as `logs.learning_rate`.
-- @classmod cusp.callbacks.LearningRateScheduler
-- @tparam function schedule `schedule(epoch, rate)`, with epochs from 1, returns the rate of the
-- epoch
-- @tparam[opt=0] integer verbose 1: print a message
-- @usage callbacks.LearningRateScheduler(function(epoch, rate)
--   return epoch <= 10 and rate or rate * 0.9
-- end)
local Callback = require "cusp.callbacks.callback"
local errors = require "cusp.base.errors"
local learning_rate = require "cusp.callbacks.learning_rate"
local progress = require "cusp.base.progress"
local python = require "cusp.callbacks.python_format"

local LearningRateScheduler = Callback:extend("LearningRateScheduler", {
  config = {{"schedule", "function"}, {"verbose", "verbosity", default = 0}},
})

function LearningRateScheduler:on_epoch_begin(epoch)
  local rate = self.schedule(epoch, learning_rate.get("LearningRateScheduler", self.model))
  if type(rate) ~= "number" then
    errors.raise(
      "LearningRateScheduler: the output of the `schedule` function should be a number, got %s",
      errors.describe(rate))
  end
  learning_rate.set(self.model, rate)
  if self.verbose > 0 then
    progress.say("\nEpoch %d: LearningRateScheduler setting learning rate to %s.", epoch,
      python.repr(rate + 0.0))
  end
end

function LearningRateScheduler:on_epoch_end(_, logs)
  logs.learning_rate = learning_rate.get("LearningRateScheduler", self.model)
end

return LearningRateScheduler
