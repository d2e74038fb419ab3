--- RMSprop: divides the gradient by the root of a moving mean of its square (Hinton 2012).
-- @classmod cusp.optimizers.RMSprop
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number rho of the moving mean
-- @tparam[opt=0] number momentum
-- @tparam[opt=1e-7] number epsilon
-- @tparam[opt=false] boolean centered whether to use the variance instead of the mean square
-- @tparam[opt=false] boolean epsilon_beside_root whether to add epsilon outside the square root, as
-- in TensorFlow 2.0 to 2.10 without momentum
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("RMSprop", {
  parameters = {
    {"rho", "number", default = 0.9}, {"momentum", "number", default = 0.0},
    {"epsilon", "number", default = 1e-7},
    {"centered", "boolean", default = false},
    Optimizer.of_keras2{"epsilon_beside_root", "boolean", default = false},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.velocities = self:add_optimizer_variables(variables, "velocity")
    if self.momentum > 0 then
      self.momentums = self:add_optimizer_variables(variables, "momentum")
    end
    if self.centered then
      self.average_gradients = self:add_optimizer_variables(variables, "average_gradient")
    end
  end,
  root = function(self, variance)
    if self.epsilon_beside_root then return ops.sqrt(variance) + self.epsilon end
    return ops.sqrt(variance + self.epsilon)
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local index, rho = self:index_of(variable), self.rho
    local velocity = self.velocities[index]
    local mean_square = velocity * rho + ops.square(gradient) * (1 - rho)
    self:assign(velocity, mean_square)
    local variance = mean_square
    if self.centered then
      local average = self.average_gradients[index]
      local mean = average * rho + gradient * (1 - rho)
      self:assign(average, mean)
      variance = mean_square - ops.square(mean)
    end
    local step = gradient * ops.cast(learning_rate, variable.dtype) / self:root(variance)
    if self.momentum > 0 then
      local momentum = self.momentums[index]
      step = momentum * self.momentum + step
      self:assign(momentum, step)
    end
    self:assign_sub(variable, step)
  end,
})
