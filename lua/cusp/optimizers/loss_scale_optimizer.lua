--- Scales the loss for another optimizer, so that small gradients survive in float16; skips steps
-- whose gradients are not finite.
-- @classmod cusp.optimizers.LossScaleOptimizer
-- @tparam Optimizer inner_optimizer
-- @tparam[opt=32768] number initial_scale
-- @tparam[opt=2000] integer dynamic_growth_steps finite steps after which the scale doubles
local Object = require "cusp.base.class"
local Optimizer = require "cusp.optimizers.optimizer"
local arguments = require "cusp.base.arguments"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"
local replicas = require "cusp.base.replicas"
local sharding = require "cusp.base.sharding"

local LossScaleOptimizer = Optimizer:extend("LossScaleOptimizer", {
  config = {
    {"inner_optimizer", "optimizer"}, {"initial_scale", "number", default = 2.0 ^ 15, above = 0},
    {"dynamic_growth_steps", "integer", default = 2000, min = 1},
    {"name", "string", optional = true},
  },
})

function LossScaleOptimizer:init(args)
  args = arguments.wrap(LossScaleOptimizer, args)
  Object.configure(self, args, LossScaleOptimizer)
  Optimizer.init(self, args)
  self.inner_optimizer.loss_scale_factor = nil
end

local getters, setters = LossScaleOptimizer.__getters, LossScaleOptimizer.__setters

function getters.learning_rate(self) return self.inner_optimizer.learning_rate end

function setters.learning_rate(self, value)
  if self.inner_optimizer and self.__own.variables then
    self.inner_optimizer.learning_rate = value
  end
end

function getters.iterations(self) return self.inner_optimizer.iterations end

function getters.variables(self)
  local result = table.move(self.__own.variables, 1, #self.__own.variables, 1, {})
  local inner = self.inner_optimizer.variables
  return table.move(inner, 1, #inner, #result + 1, result)
end

function LossScaleOptimizer:build(variables)
  self.step_counter = self:add_variable{dtype = "int32", name = "step_counter"}
  self.dynamic_scale = self:add_variable{dtype = "float32", initializer = self.initial_scale,
    name = "dynamic_scale"}
  self.inner_optimizer:ensure_built(variables)
  Optimizer.build(self, variables)
end

-- Whether a gradient is finite, in all processes that have a part of it.
local function is_finite(gradient, variable)
  if not variable.sharding then return ops.all(ops.isfinite(gradient)) end
  local count = ops.sum(ops.cast(ops.logical_not(ops.isfinite(gradient)), "int32"))
  return ops.equal(sharding.total(variable, count), 0)
end

local function all_finite(gradients, variables)
  local finite
  for i, gradient in ipairs(gradients) do
    local one = is_finite(gradient, variables[i])
    finite = finite == nil and one or ops.logical_and(finite, one)
  end
  return finite
end

-- A process's mean is over a part of the batch: each sample counts for more in it than in the mean
-- of all, and would overflow earlier.
local function of_part(scale)
  return replicas.active and scale / replicas.active.size or scale
end

function LossScaleOptimizer:apply_gradients_now(gradients, variables)
  local finite, scale, unscaled = all_finite(gradients, variables), self.dynamic_scale.value, {}
  for i, gradient in ipairs(gradients) do
    unscaled[i] = variables[i].overwrite_with_gradient and gradient
      or gradient / ops.cast(of_part(scale), gradient.dtype)
  end
  Optimizer.gated(self.inner_optimizer, finite, function()
    self.inner_optimizer:apply_gradients_now(unscaled, variables)
  end)
  local grown = ops.equal(self.step_counter, self.dynamic_growth_steps - 1)
  local again = ops.logical_or(ops.logical_not(finite), grown)
  self:assign(self.step_counter, ops.where(again, 0, self.step_counter + 1))
  self:assign(self.dynamic_scale,
    ops.where(finite, ops.where(grown, scale * 2, scale), scale * 0.5))
end

function LossScaleOptimizer:scale_loss(loss)
  local scale = self.built and self.dynamic_scale or self.initial_scale
  return loss * of_part(scale)
end

function LossScaleOptimizer:finalize_variable_values(variables)
  self.inner_optimizer:finalize_variable_values(variables)
end

function LossScaleOptimizer:get_config()
  return ordered.object({
    name = self.name, inner_optimizer = registry.serialize(self.inner_optimizer),
    initial_scale = self.initial_scale,
    dynamic_growth_steps = self.dynamic_growth_steps,
  }, {"name", "inner_optimizer", "initial_scale", "dynamic_growth_steps"})
end

return LossScaleOptimizer
