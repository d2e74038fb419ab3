--- "Follow the regularized leader" (McMahan et al. 2013), with L2 shrinkage.
-- @classmod cusp.optimizers.Ftrl
-- @param[opt=0.001] learning_rate
-- @tparam[opt=-0.5] number learning_rate_power at most 0
-- @tparam[opt=0.1] number initial_accumulator_value
-- @tparam[opt=0] number l1_regularization_strength
-- @tparam[opt=0] number l2_regularization_strength
-- @tparam[opt=0] number l2_shrinkage_regularization_strength
-- @tparam[opt=0] number beta
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("Ftrl", {
  parameters = {
    {"learning_rate_power", "number", default = -0.5, max = 0},
    {"initial_accumulator_value", "number", default = 0.1, min = 0},
    {"l1_regularization_strength", "number", default = 0.0, min = 0},
    {"l2_regularization_strength", "number", default = 0.0, min = 0},
    {"l2_shrinkage_regularization_strength", "number", default = 0.0, min = 0},
    {"beta", "number", default = 0.0},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.accumulators, self.linears =
      self:add_optimizer_variables(variables, {"accumulator", "linear"},
        {self.initial_accumulator_value, "zeros"})
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local index, power = self:index_of(variable), -self.learning_rate_power
    local accumulator, linear = self.accumulators[index], self.linears[index]
    local rate = ops.cast(learning_rate, variable.dtype)
    local l1 = self.l1_regularization_strength
    local l2 = self.beta / (rate * 2) + self.l2_regularization_strength
    local shrunk = gradient + variable * (2 * self.l2_shrinkage_regularization_strength)
    local sum = accumulator + ops.square(gradient)
    local sum_power = ops.power(sum, power)
    local moved = linear + shrunk - (sum_power - ops.power(accumulator, power)) / rate * variable
    local quadratic = sum_power / rate + l2 * 2
    self:assign(linear, moved)
    self:assign(variable, (ops.clip(moved, -l1, l1) - moved) / quadratic)
    self:assign(accumulator, sum)
  end,
})
