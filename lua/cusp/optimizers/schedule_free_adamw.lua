--- Schedule-free AdamW: averages instead of a schedule (Defazio et al. 2024).
-- @classmod cusp.optimizers.ScheduleFreeAdamW
-- @param[opt=0.0025] learning_rate
-- @tparam[opt=0.9] number beta_1 the share of the average at the point where gradients are taken
-- @tparam[opt=0.999] number beta_2
-- @tparam[opt=1e-8] number epsilon
-- @tparam[opt=0] integer warmup_steps
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

local function coefficients(self, step, learning_rate)
  local rate = learning_rate
  if self.warmup_steps > 0 then rate = rate * ops.minimum(step / self.warmup_steps, 1) end
  return {rate = rate, bias = 1 - ops.power(self.beta_2, step), weight = 1 / step}
end

return Optimizer.define("ScheduleFreeAdamW", {
  learning_rate = 0.0025,
  parameters = {
    {"beta_1", "number", default = 0.9}, {"beta_2", "number", default = 0.999},
    {"epsilon", "number", default = 1e-8},
    {"warmup_steps", "integer", default = 0, min = 0},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums, self.velocities = self:add_optimizer_variables(variables,
      {"momentum", "velocity"})
    -- The fast sequence starts at the variables.
    for i, momentum in ipairs(self.momentums) do
      if momentum then momentum:assign(variables[i].value) end
    end
  end,
  update_step = function(self, gradient, variable)
    local index, beta = self:index_of(variable), self.beta_1
    local shared = self:shared(variable.dtype, coefficients)
    local fast, velocity = self.momentums[index], self.velocities[index]
    local square = velocity + (ops.square(gradient) - velocity) * (1 - self.beta_2)
    local moved = fast - gradient * shared.rate / (ops.sqrt(square / shared.bias) + self.epsilon)
    local average = (variable - fast * (1 - beta)) / beta
    local new_average = average * (1 - shared.weight) + moved * shared.weight
    self:assign(velocity, square)
    self:assign(variable, moved * (1 - beta) + new_average * beta)
    self:assign(fast, moved)
  end,
})
