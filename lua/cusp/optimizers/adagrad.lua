--- Adagrad: divides the gradient by the root of the sum of all its squares (Duchi et al. 2011).
-- @classmod cusp.optimizers.Adagrad
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.1] number initial_accumulator_value
-- @tparam[opt=1e-7] number epsilon
-- @tparam[opt=false] boolean epsilon_beside_root whether to add epsilon outside the square root, as
-- in TensorFlow 2.0 to 2.10
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("Adagrad", {
  parameters = {
    {"initial_accumulator_value", "number", default = 0.1, min = 0},
    {"epsilon", "number", default = 1e-7},
    Optimizer.of_keras2{"epsilon_beside_root", "boolean", default = false},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.accumulators = self:add_optimizer_variables(variables, "accumulator",
      {self.initial_accumulator_value})
  end,
  root = function(self, sum)
    if self.epsilon_beside_root then return ops.sqrt(sum) + self.epsilon end
    return ops.sqrt(sum + self.epsilon)
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local accumulator = self.accumulators[self:index_of(variable)]
    local sum = accumulator + ops.square(gradient)
    self:assign(accumulator, sum)
    self:assign_sub(variable, gradient * ops.cast(learning_rate, variable.dtype) / self:root(sum))
  end,
})
