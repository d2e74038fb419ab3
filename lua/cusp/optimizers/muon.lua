--- Muon: momentum orthogonalised by a Newton-Schulz iteration, for matrices; Adam for the rest
-- (Jordan et al. 2024).
-- @classmod cusp.optimizers.Muon
-- @param[opt=0.001] learning_rate
-- @tparam[opt=0.9] number adam_beta_1
-- @tparam[opt=0.999] number adam_beta_2
-- @tparam[opt=0.004] number adam_weight_decay
-- @tparam[opt=1e-7] number epsilon
-- @tparam[opt=0.004] number weight_decay
-- @tparam[opt] table exclude_layers parts of paths (Lua patterns) of variables to update with Adam
-- @tparam[opt=true] boolean exclude_embeddings
-- @tparam[opt=0.95] number momentum
-- @tparam[opt=5] integer ns_steps of the iteration
-- @tparam[opt=true] boolean nesterov
-- @tparam[opt=0.2] number rms_rate
local Optimizer = require "cusp.optimizers.optimizer"
local ops = require "cusp.ops"
local plain = require "cusp.base.plain"

local function adam_coefficients(self, step, learning_rate)
  local rate = learning_rate * self.adam_lr_ratio
  return {rate = rate * ops.sqrt(1 - ops.power(self.adam_beta_2, step))
    / (1 - ops.power(self.adam_beta_1, step))}
end

local function uses_adam(self, variable)
  if #variable.shape ~= 2 then return true end
  local path = variable.path or variable.name or ""
  if self.exclude_embeddings and plain.lower(path):find("embedding", 1, true) then return true end
  for _, pattern in ipairs(self.exclude_layers or {}) do
    if path:find(pattern) then return true end
  end
  return false
end

-- Moves all singular values towards 1.
local function orthogonalise(self, x)
  local tall = x.shape[1] > x.shape[2]
  if tall then x = ops.transpose(x) end
  x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
  for _ = 1, self.ns_steps do
    local a = ops.matmul(x, ops.transpose(x))
    local b = a * self.muon_b + ops.matmul(a * self.muon_c, a)
    x = x * self.muon_a + ops.matmul(b, x)
  end
  return tall and ops.transpose(x) or x
end

local function adam_step(self, gradient, variable, index)
  local rate = self:shared(variable.dtype, adam_coefficients).rate
  local momentum, velocity = self.momentums[index], self.adam_velocities[index]
  local mean = momentum + (gradient - momentum) * (1 - self.adam_beta_1)
  local square = velocity + (ops.square(gradient) - velocity) * (1 - self.adam_beta_2)
  self:assign(momentum, mean)
  self:assign(velocity, square)
  self:assign_sub(variable, mean * rate / (ops.sqrt(square) + self.epsilon))
end

return Optimizer.define("Muon", {
  needs_whole_variables = true,
  positional_order = "learning_rate adam_beta_1 adam_beta_2 adam_weight_decay epsilon weight_decay "
    .. "clipnorm clipvalue global_clipnorm use_ema ema_momentum "
    .. "ema_overwrite_frequency loss_scale_factor gradient_accumulation_steps name "
    .. "exclude_layers exclude_embeddings muon_a muon_b muon_c adam_lr_ratio momentum "
    .. "ns_steps nesterov rms_rate",
  parameters = {
    {"adam_beta_1", "number", default = 0.9}, {"adam_beta_2", "number", default = 0.999},
    {"adam_weight_decay", "number", default = 0.004, optional = true},
    {"epsilon", "number", default = 1e-7},
    {"weight_decay", "number", default = 0.004}, {"exclude_layers", "list", default = {}},
    {"exclude_embeddings", "boolean", default = true}, {"muon_a", "number", default = 3.4445},
    {"muon_b", "number", default = -4.7750}, {"muon_c", "number", default = 2.0315},
    {"adam_lr_ratio", "number", default = 1},
    {"momentum", "number", default = 0.95}, {"ns_steps", "integer", default = 5, min = 1},
    {"nesterov", "boolean", default = true},
    {"rms_rate", "number", default = 0.2, optional = true},
  },
  build = function(self, variables)
    Optimizer.build(self, variables)
    self.momentums, self.adam_velocities = {}, {}
    for i, variable in ipairs(variables) do
      local updated = not variable.overwrite_with_gradient
      self.momentums[i] = updated and self:add_variable_from_reference(variable, "momentum")
      if updated and uses_adam(self, variable) then
        self.adam_velocities[i] = self:add_variable_from_reference(variable, "velocity")
      end
    end
  end,
  decay_of = function(self, variable)
    return uses_adam(self, variable) and self.adam_weight_decay or self.weight_decay
  end,
  update_step = function(self, gradient, variable, learning_rate)
    local index = self:index_of(variable)
    if self.adam_velocities[index] then return adam_step(self, gradient, variable, index) end
    local momentum = self.momentums[index]
    local moved = momentum * self.momentum + gradient
    self:assign(momentum, moved)
    local step = orthogonalise(self, self.nesterov and gradient + moved * self.momentum or moved)
      * ops.cast(learning_rate, variable.dtype)
    if self.rms_rate then
      step = step * (math.sqrt(math.max(step.shape[1], step.shape[2])) * self.rms_rate)
    end
    self:assign_sub(variable, step)
  end,
})
