--- From `initial_learning_rate` to `end_learning_rate` over `decay_steps`, by a power of the
-- remaining time.
-- @classmod cusp.optimizers.schedules.PolynomialDecay
-- @tparam number initial_learning_rate
-- @tparam number decay_steps
-- @tparam[opt=1e-4] number end_learning_rate
-- @tparam[opt=1] number power
-- @tparam[opt=false] boolean cycle whether to restart, with a longer period, each time the end is
-- reached
local Schedule = require "cusp.optimizers.schedules.learning_rate_schedule"
local ops = require "cusp.ops"

return Schedule:extend("PolynomialDecay", {
  config = {
    {"initial_learning_rate", "number"}, {"decay_steps", "number", above = 0},
    {"end_learning_rate", "number", default = 0.0001},
    {"power", "number", default = 1.0}, {"cycle", "boolean", default = false},
    {"name", "string", default = "PolynomialDecay"},
  },
  call = function(self, step)
    local share
    if self.cycle then
      local cycles = ops.where(ops.equal(step, 0), 1, ops.ceil(step / self.decay_steps))
      share = step / (cycles * self.decay_steps)
    else
      share = ops.minimum(step, self.decay_steps) / self.decay_steps
    end
    return ops.power(1 - share, self.power) * (self.initial_learning_rate - self.end_learning_rate)
      + self.end_learning_rate
  end,
})
