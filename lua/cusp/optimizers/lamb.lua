--- LAMB: Adam with steps scaled to the size of each layer's weights, for large batches (You et al.
-- 2020).
-- @classmod cusp.optimizers.Lamb
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number beta_1
-- @tparam[opt=0.999] number beta_2
-- @tparam[opt=1e-7] number epsilon
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"
local sharding = require "cusp.base.sharding"

local function coefficients(self, step, learning_rate)
  return {rate = learning_rate, bias_1 = 1 - ops.power(self.beta_1, step),
    bias_2 = 1 - ops.power(self.beta_2, step)}
end

local function norm(x, variable)
  return ops.sqrt(sharding.total(variable, ops.sum(ops.square(x))))
end

return Optimizer.define("Lamb", {
  parameters = {{"beta_1", "number", default = 0.9}, {"beta_2", "number", default = 0.999},
    {"epsilon", "number", default = 1e-7}},
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums, self.velocities = self:add_optimizer_variables(variables,
      {"momentum", "velocity"})
  end,
  update_step = function(self, gradient, variable)
    local index = self:index_of(variable)
    local shared = self:shared(variable.dtype, coefficients)
    local momentum, velocity = self.momentums[index], self.velocities[index]
    local mean = momentum + (gradient - momentum) * (1 - self.beta_1)
    local square = velocity + (ops.square(gradient) - velocity) * (1 - self.beta_2)
    self:assign(momentum, mean)
    self:assign(velocity, square)
    local step = mean / shared.bias_1 / (ops.sqrt(square / shared.bias_2) + self.epsilon)
    local weight_norm, step_norm = norm(variable, variable), norm(step, variable)
    local both = ops.logical_and(ops.greater(weight_norm, 0), ops.greater(step_norm, 0))
    local ratio = ops.where(both, weight_norm / step_norm, 1)
    self:assign_sub(variable, step * (ratio * shared.rate))
  end,
})
