--- Weight decay, and the variables that are kept from it.
-- @module cusp.optimizers.weight_decay
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local weight_decay = {}

local function decays(self, variable)
  local excluded = self.__own.excluded
  if not excluded then return true end
  if excluded.variables[variable] then return false end
  local name = variable.name or variable.path or ""
  for _, pattern in ipairs(excluded.names) do
    if name:find(pattern, 1, true) or name:find(pattern) then return false end
  end
  return true
end

--- Lets variables decay by an optimizer's `weight_decay`.
-- @tparam Optimizer self
-- @tparam {Variable,...} variables
function weight_decay.apply(self, variables)
  for _, variable in ipairs(variables) do
    local decay = self:decay_of(variable)
    if decay and decays(self, variable) then
      self:assign(variable, variable
        - variable * decay * ops.cast(self.learning_rate, variable.dtype))
    end
  end
end

--- See `Optimizer:exclude_from_weight_decay`.
function weight_decay.exclude(self, variables, wanted)
  if self.built then
    errors.raise("%s: exclude_from_weight_decay comes before the first update", self.__name)
  end
  local excluded = {variables = {}, names = wanted or {}}
  for _, variable in ipairs(variables or {}) do excluded.variables[variable] = true end
  self.__own.excluded = excluded
end

return weight_decay
