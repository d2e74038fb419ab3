--- Half a cosine from `initial_learning_rate` down to `alpha` times it (Loshchilov and Hutter
-- 2017), after an optional linear warm-up.
-- @classmod cusp.optimizers.schedules.CosineDecay
-- @tparam number initial_learning_rate
-- @tparam number decay_steps
-- @tparam[opt=0] number alpha
-- @tparam[opt] number warmup_target the rate that the warm-up reaches and the decay starts from
-- @tparam[opt=0] number warmup_steps
local Schedule = require "cusp.optimizers.schedules.learning_rate_schedule"
local ops = require "cusp.ops"

local function decayed(self, step, from)
  local cosine = (ops.cos(step / self.decay_steps * math.pi) + 1) * 0.5
  return (cosine * (1 - self.alpha) + self.alpha) * from
end

return Schedule:extend("CosineDecay", {
  config = {
    {"initial_learning_rate", "number"}, {"decay_steps", "number", above = 0},
    {"alpha", "number", default = 0.0},
    {"name", "string", default = "CosineDecay"}, {"warmup_target", "number", optional = true},
    {"warmup_steps", "number", default = 0, min = 0},
  },
  call = function(self, step)
    if not self.warmup_target then
      return decayed(self, ops.minimum(step, self.decay_steps), self.initial_learning_rate)
    end
    step = ops.minimum(step, self.decay_steps + self.warmup_steps)
    local after = decayed(self, step - self.warmup_steps, self.warmup_target)
    if self.warmup_steps == 0 then return after end
    local rise = step / self.warmup_steps * (self.warmup_target - self.initial_learning_rate)
      + self.initial_learning_rate
    return ops.where(ops.less(step, self.warmup_steps), rise, after)
  end,
})
