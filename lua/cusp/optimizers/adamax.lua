--- Adamax: Adam with the largest absolute gradient instead of the mean square (Kingma and Ba 2014).
-- @classmod cusp.optimizers.Adamax
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number beta_1
-- @tparam[opt=0.999] number beta_2
-- @tparam[opt=1e-7] number epsilon
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

local function coefficients(self, step, learning_rate)
  return {rate = learning_rate / (1 - ops.power(self.beta_1, step))}
end

return Optimizer.define("Adamax", {
  parameters = {{"beta_1", "number", default = 0.9}, {"beta_2", "number", default = 0.999},
    {"epsilon", "number", default = 1e-7}},
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums, self.norms = self:add_optimizer_variables(variables, {"momentum", "norm"})
  end,
  update_step = function(self, gradient, variable)
    local index = self:index_of(variable)
    local rate = self:shared(variable.dtype, coefficients).rate
    local momentum, norm = self.momentums[index], self.norms[index]
    local mean = momentum + (gradient - momentum) * (1 - self.beta_1)
    local largest = ops.maximum(norm * self.beta_2, ops.abs(gradient))
    self:assign(momentum, mean)
    self:assign(norm, largest)
    self:assign_sub(variable, mean * rate / (largest + self.epsilon))
  end,
})
