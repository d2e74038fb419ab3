--- Adagrad: the gradient over the root of the sum of all its squares (Duchi et al. 2011).
-- @classmod cusp.optimizers.Adagrad
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.1] number initial_accumulator_value
-- @tparam[opt=1e-7] number epsilon
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("Adagrad", {
  parameters = { { "initial_accumulator_value", "number", default = 0.1, min = 0 }, { "epsilon", "number", default = 1e-7 } },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.accumulators = self:add_optimizer_variables(variables, "accumulator", { self.initial_accumulator_value })
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local accumulator = self.accumulators[self:index_of(variable)]
    local sum = accumulator + ops.square(gradient)
    self:assign(accumulator, sum)
    self:assign_sub(variable, gradient * ops.cast(learning_rate, variable.dtype) / ops.sqrt(sum + self.epsilon))
  end,
})
