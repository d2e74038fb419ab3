--- Gradient descent with optional momentum.
-- @classmod cusp.optimizers.SGD
-- @param[opt=0.01] learning_rate
-- @tparam[opt=0] number momentum
-- @tparam[opt=false] boolean nesterov
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"

return Optimizer.define("SGD", {
  learning_rate = 0.01,
  parameters = {{"momentum", "number", min = 0, max = 1, default = 0.0},
    {"nesterov", "boolean", default = false}},
  build = function(self, variables)
    Optimizer.build(self, variables)
    if self.momentum ~= 0 then
      self.momentums = self:add_optimizer_variables(variables, "momentum")
    end
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local step = gradient * ops.cast(learning_rate, variable.dtype)
    if self.momentum == 0 then return self:assign_sub(variable, step) end
    local momentum = self.momentums[self:index_of(variable)]
    local moved = momentum * self.momentum - step
    self:assign(momentum, moved)
    self:assign_add(variable, self.nesterov and moved * self.momentum - step or moved)
  end,
})
