--- Adadelta: scales steps by the moving size of earlier steps relative to that of gradients (Zeiler
-- 2012).
-- @classmod cusp.optimizers.Adadelta
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.95] number rho of both moving means
-- @tparam[opt=1e-7] number epsilon
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("Adadelta", {
  parameters = {{"rho", "number", default = 0.95}, {"epsilon", "number", default = 1e-7}},
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.accumulated_gradients, self.accumulated_steps =
      self:add_optimizer_variables(variables, {"accumulated_grad", "accumulated_delta_var"})
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local index, rho = self:index_of(variable), self.rho
    local gradients, steps = self.accumulated_gradients[index], self.accumulated_steps[index]
    local mean_square = gradients * rho + ops.square(gradient) * (1 - rho)
    local step = ops.sqrt(steps + self.epsilon) * gradient / ops.sqrt(mean_square + self.epsilon)
    self:assign(gradients, mean_square)
    self:assign(steps, steps * rho + ops.square(step) * (1 - rho))
    self:assign_sub(variable, step * ops.cast(learning_rate, variable.dtype))
  end,
})
