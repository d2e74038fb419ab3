--- Lion: the sign of an interpolation between gradient and momentum (Chen et al. 2023).
-- @classmod cusp.optimizers.Lion
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number beta_1 of the interpolation
-- @tparam[opt=0.99] number beta_2 of the momentum
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("Lion", {
  parameters = {{"beta_1", "number", default = 0.9, above = 0, max = 1},
    {"beta_2", "number", default = 0.99}},
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums = self:add_optimizer_variables(variables, "momentum")
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local momentum = self.momentums[self:index_of(variable)]
    local direction = ops.sign(momentum * self.beta_1 + gradient * (1 - self.beta_1))
    local moved = momentum * self.beta_2 + gradient * (1 - self.beta_2)
    self:assign_sub(variable, direction * ops.cast(learning_rate, variable.dtype))
    self:assign(momentum, moved)
  end,
})
