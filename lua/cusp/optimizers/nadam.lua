--- Nadam: Adam with Nesterov momentum (Dozat 2015).
-- @classmod cusp.optimizers.Nadam
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number beta_1
-- @tparam[opt=0.999] number beta_2
-- @tparam[opt=1e-7] number epsilon
-- @tparam[opt=1] number schedule_decay how fast the momentum rises; 0.004 in TensorFlow 2.0 to 2.10
local Optimizer = require "cusp.optimizers.optimizer"
local engine = require "cusp.engine"
local ops = require "cusp.ops"

-- The momentum of a step rises towards beta_1.
local function momentum_at(self, step)
  return (1 - ops.power(0.96 ^ self.schedule_decay, step) * 0.5) * self.beta_1
end

local function coefficients(self, step, learning_rate, dtype)
  local now, following = momentum_at(self, step), momentum_at(self, step + 1)
  local product = ops.cast(self.__own.momentum_product, dtype)
  return {
    rate = learning_rate, bias = 1 - ops.power(self.beta_2, step),
    of_mean = following / (1 - product * following), of_gradient = (1 - now) / (1 - product),
  }
end

return Optimizer.define("Nadam", {
  parameters = {
    {"beta_1", "number", default = 0.9}, {"beta_2", "number", default = 0.999},
    {"epsilon", "number", default = 1e-7},
    Optimizer.of_keras2{"schedule_decay", "number", default = 1},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums, self.velocities = self:add_optimizer_variables(variables,
      {"momentum", "velocity"})
    local dtype = variables[1] and variables[1].dtype or engine.get_floatx()
    self.__own.momentum_product = self:add_variable{initializer = 1.0, dtype = dtype,
      name = "variable"}
  end,
  update_all = function(self, gradients, variables, learning_rate)
    local product = self.__own.momentum_product
    self:assign(product, product * momentum_at(self, ops.cast(self.iterations + 1, product.dtype)))
    Optimizer.update_all(self, gradients, variables, learning_rate)
  end,
  update_step = function(self, gradient, variable)
    local index = self:index_of(variable)
    local shared = self:shared(variable.dtype, coefficients)
    local momentum, velocity = self.momentums[index], self.velocities[index]
    local mean = momentum + (gradient - momentum) * (1 - self.beta_1)
    local square = velocity + (ops.square(gradient) - velocity) * (1 - self.beta_2)
    self:assign(momentum, mean)
    self:assign(velocity, square)
    local ahead = mean * shared.of_mean + gradient * shared.of_gradient
    self:assign_sub(variable, ahead * shared.rate / (ops.sqrt(square / shared.bias) + self.epsilon))
  end,
})
