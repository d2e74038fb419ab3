--- Adam: moving means of the gradient and of its square (Kingma and Ba 2014).
-- @classmod cusp.optimizers.Adam
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number beta_1 of the gradient's mean
-- @tparam[opt=0.999] number beta_2 of the square's mean
-- @tparam[opt=1e-7] number epsilon
-- @tparam[opt=false] boolean amsgrad whether to use the largest mean square so far (Reddi et al.
-- 2018)
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

-- The learning rate, with the bias of both means towards 0 corrected.
local function coefficients(self, step, learning_rate)
  local rate = learning_rate * ops.sqrt(1 - ops.power(self.beta_2, step))
    / (1 - ops.power(self.beta_1, step))
  return {rate = rate}
end

return Optimizer.define("Adam", {
  parameters = {
    {"beta_1", "number", default = 0.9}, {"beta_2", "number", default = 0.999},
    {"epsilon", "number", default = 1e-7},
    {"amsgrad", "boolean", default = false},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums, self.velocities = self:add_optimizer_variables(variables,
      {"momentum", "velocity"})
    if self.amsgrad then
      self.velocity_hats = self:add_optimizer_variables(variables, "velocity_hat")
    end
  end,
  update_step = function(self, gradient, variable)
    local index = self:index_of(variable)
    local rate = self:shared(variable.dtype, coefficients).rate
    local momentum, velocity = self.momentums[index], self.velocities[index]
    local mean = momentum + (gradient - momentum) * (1 - self.beta_1)
    local square = velocity + (ops.square(gradient) - velocity) * (1 - self.beta_2)
    self:assign(momentum, mean)
    self:assign(velocity, square)
    if self.amsgrad then
      local largest = self.velocity_hats[index]
      square = ops.maximum(largest, square)
      self:assign(largest, square)
    end
    self:assign_sub(variable, mean * rate / (ops.sqrt(square) + self.epsilon))
  end,
})
