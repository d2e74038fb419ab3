--- Several optimizers, each of which updates some of the variables.
-- @classmod cusp.optimizers.MultiOptimizer
-- @tparam OptimizerMap|function optimizer_map gives the optimizer of a variable
-- @tparam[opt] number loss_scale_factor of all of them
-- @tparam[opt] string name
-- @usage
-- local map = optimizers.OptimizerMap{optimizers.SGD(0.01)}
-- map["encoder/.*"] = optimizers.Adam()
-- model:compile{optimizer = optimizers.MultiOptimizer{map}, loss = "mse"}
local Object = require "cusp.base.class"
local Optimizer = require "cusp.optimizers.optimizer"
local OptimizerMap = require "cusp.optimizers.optimizer_map"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

kinds.define("optimizer_map", {
  check = function(value)
    if kinds.is_plain(value) and value.class_name then
      return true, registry.deserialize(value, {module = "keras.optimizers"})
    end
    return kinds.is_callable(value)
  end,
  expects = "an OptimizerMap, or a function of a variable that gives its optimizer",
  to_config = function(value) return registry.serialize(value) end,
})

local MultiOptimizer = Optimizer:extend("MultiOptimizer", {
  config = {{"optimizer_map", "optimizer_map"}, {"loss_scale_factor", "number", optional = true},
    {"name", "string", optional = true}},
})

local function add_inner(self, optimizer)
  for _, known in ipairs(self.__own.inner) do
    if known == optimizer then return end
  end
  optimizer.loss_scale_factor = self.loss_scale_factor
  table.insert(self.__own.inner, optimizer)
end

function MultiOptimizer:init(args)
  args = arguments.wrap(MultiOptimizer, args)
  Object.configure(self, args, MultiOptimizer)
  self.__own.inner = {}
  Optimizer.init(self, args)
  if Object.is_instance(self.optimizer_map, OptimizerMap) then
    for _, optimizer in ipairs(self.optimizer_map:optimizers()) do add_inner(self, optimizer) end
  end
end

local getters, setters = MultiOptimizer.__getters, MultiOptimizer.__setters

--- The optimizers.
function getters.optimizers(self)
  return table.move(self.__own.inner, 1, #self.__own.inner, 1, {})
end

--- The iteration and the learning rate, which is not used, then the variables of each optimizer.
function getters.variables(self)
  local result = table.move(self.__own.variables, 1, #self.__own.variables, 1, {})
  for _, optimizer in ipairs(self.__own.inner) do
    local own = optimizer.variables
    table.move(own, 1, #own, #result + 1, result)
  end
  return result
end

function getters.learning_rate()
  errors.raise "MultiOptimizer: has no learning rate; its `optimizers` have one each"
end

function setters.learning_rate(self, value)
  if self.__own.variables then getters.learning_rate() end
  self.__own.given_learning_rate = value
end

local function optimizer_of(self, variable)
  local optimizer = self.optimizer_map(variable)
  local name = Object.is_instance(optimizer, Optimizer) and optimizer.__name
  if not name or name == "LossScaleOptimizer" or name == "MultiOptimizer" then
    errors.raise("MultiOptimizer: the variable %s needs an optimizer of its own kind, got %s",
      variable.path or variable.name, errors.describe(optimizer))
  end
  return optimizer
end

-- Gradients and variables by optimizer.
local function divided(self, gradients, variables)
  local parts = {}
  for i, variable in ipairs(variables) do
    local optimizer = self.__own.optimizer_of[variable]
    local part = parts[optimizer] or {gradients = {}, variables = {}}
    parts[optimizer] = part
    table.insert(part.gradients, gradients[i])
    table.insert(part.variables, variable)
  end
  return parts
end

function MultiOptimizer:build(variables)
  Optimizer.build(self, variables)
  self.__own.optimizer_of = {}
  for _, variable in ipairs(variables) do
    local optimizer = optimizer_of(self, variable)
    self.__own.optimizer_of[variable] = optimizer
    add_inner(self, optimizer)
  end
  local parts = divided(self, {}, variables)
  for _, optimizer in ipairs(self.__own.inner) do
    if parts[optimizer] then optimizer:ensure_built(parts[optimizer].variables) end
  end
end

function MultiOptimizer:apply_gradients_now(gradients, variables)
  local parts = divided(self, gradients, variables)
  for _, optimizer in ipairs(self.__own.inner) do
    local part = parts[optimizer]
    if part then optimizer:apply_gradients_now(part.gradients, part.variables) end
  end
  self.__own.iterations:assign(self.__own.iterations + 1)
end

function MultiOptimizer:finalize_variable_values(variables)
  for _, optimizer in ipairs(self.__own.inner) do
    local own = {}
    for _, variable in ipairs(variables) do
      if self.__own.optimizer_of[variable] == optimizer then own[#own + 1] = variable end
    end
    optimizer:finalize_variable_values(own)
  end
end

function MultiOptimizer:get_config()
  return ordered.object({
    optimizer_map = registry.serialize(self.optimizer_map),
    loss_scale_factor = self.loss_scale_factor or null, name = self.name,
  }, {"optimizer_map", "loss_scale_factor", "name"})
end

--- "MultiOptimizer{Adam{...}, SGD{...}}"
function MultiOptimizer:__tostring()
  local texts = {}
  for i, optimizer in ipairs(self.__own.inner) do texts[i] = tostring(optimizer) end
  return ("MultiOptimizer{%s}"):format(table.concat(texts, ", "))
end

return MultiOptimizer
