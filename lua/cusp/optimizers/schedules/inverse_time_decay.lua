--- `initial_learning_rate / (1 + decay_rate * step / decay_steps)`.
-- @classmod cusp.optimizers.schedules.InverseTimeDecay
-- @tparam number initial_learning_rate
-- @tparam number decay_steps
-- @tparam number decay_rate
-- @tparam[opt=false] boolean staircase whether to round the quotient down
local Schedule = require "cusp.optimizers.schedules.learning_rate_schedule"
local ops = require "cusp.ops"

return Schedule:extend("InverseTimeDecay", {
  config = {
    {"initial_learning_rate", "number"}, {"decay_steps", "number", above = 0},
    {"decay_rate", "number"},
    {"staircase", "boolean", default = false}, {"name", "string", default = "InverseTimeDecay"},
  },
  call = function(self, step)
    local share = step / self.decay_steps
    if self.staircase then share = ops.floor(share) end
    return self.initial_learning_rate / (share * self.decay_rate + 1)
  end,
})
