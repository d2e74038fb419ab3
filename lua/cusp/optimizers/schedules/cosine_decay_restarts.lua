--- Cosine decay with restarts: each period is `t_mul` times as long and starts `m_mul` times as
-- high (Loshchilov and Hutter 2017).
-- @classmod cusp.optimizers.schedules.CosineDecayRestarts
-- @tparam number initial_learning_rate
-- @tparam number first_decay_steps
-- @tparam[opt=2] number t_mul
-- @tparam[opt=1] number m_mul
-- @tparam[opt=0] number alpha
local Schedule = require "cusp.optimizers.schedules.learning_rate_schedule"
local ops = require "cusp.ops"

-- The number of restarts so far, and the position in the present period.
local function place(self, share)
  local growth = self.t_mul
  if growth == 1 then
    local restarts = ops.floor(share)
    return restarts, share - restarts
  end
  local restarts = ops.floor(ops.log(1 - share * (1 - growth)) / math.log(growth))
  local length = ops.power(growth, restarts)
  return restarts, (share - (1 - length) / (1 - growth)) / length
end

return Schedule:extend("CosineDecayRestarts", {
  config = {
    {"initial_learning_rate", "number"}, {"first_decay_steps", "number", above = 0},
    {"t_mul", "number", default = 2.0},
    {"m_mul", "number", default = 1.0}, {"alpha", "number", default = 0.0},
    {"name", "string", default = "SGDRDecay"},
  },
  call = function(self, step)
    local restarts, share = place(self, step / self.first_decay_steps)
    local cosine = ops.power(self.m_mul, restarts) * (ops.cos(share * math.pi) + 1) * 0.5
    return (cosine * (1 - self.alpha) + self.alpha) * self.initial_learning_rate
  end,
})
