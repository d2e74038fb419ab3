--- `initial_learning_rate * decay_rate ^ (step / decay_steps)`.
-- @classmod cusp.optimizers.schedules.ExponentialDecay
-- @tparam number initial_learning_rate
-- @tparam number decay_steps
-- @tparam number decay_rate
-- @tparam[opt=false] boolean staircase whether to round the exponent down
local Schedule = require "cusp.optimizers.schedules.learning_rate_schedule"
local ops = require "cusp.ops"

return Schedule:extend("ExponentialDecay", {
  config = {
    {"initial_learning_rate", "number"}, {"decay_steps", "number", above = 0},
    {"decay_rate", "number"},
    {"staircase", "boolean", default = false}, {"name", "string", default = "ExponentialDecay"},
  },
  call = function(self, step)
    local exponent = step / self.decay_steps
    if self.staircase then exponent = ops.floor(exponent) end
    return ops.power(self.decay_rate, exponent) * self.initial_learning_rate
  end,
})
