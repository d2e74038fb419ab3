--- The base of schedules: called with the step (from 0), they return the learning rate. Your own
-- class defines `call(self, step)`, where `step` is a float scalar tensor.
-- @classmod cusp.optimizers.schedules.LearningRateSchedule
-- @usage local Halving = schedules.LearningRateSchedule:extend("Halving", {
--     config = {{"start", "number"}},
--     call = function(self, step) return cusp.ops.power(0.5, step / 1000) * self.start end,
--   })
local Object = require "cusp.base.class"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local LearningRateSchedule = Object:extend("LearningRateSchedule",
  {__module = "keras.optimizers.schedules"})

--- @param step a number, tensor or variable
-- @treturn tensor scalar
function LearningRateSchedule:__call(step)
  if type(step) == "number" then step = engine.tensor(step, {dtype = engine.get_floatx()}) end
  local rate = self:call(ops.cast(step, engine.get_floatx()))
  return type(rate) == "number" and engine.tensor(rate, {dtype = engine.get_floatx()}) or rate
end

function LearningRateSchedule:call()
  errors.raise("%s: a learning rate schedule needs call(self, step)", self.__name)
end

return LearningRateSchedule
