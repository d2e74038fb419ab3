--- The gradients that a loop of one's own gives an optimizer.
-- @module cusp.optimizers.given_gradients
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local plain = require "cusp.base.plain"
local warnings = require "cusp.base.warnings"

local given_gradients = {}

--- Raises for what is no list, or longer than the list of variables.
-- @tparam Optimizer self
-- @tparam table gradients
-- @tparam {Variable,...} variables
function given_gradients.check_list(self, gradients, variables)
  local most = #gradients
  for i in pairs(gradients) do
    if math.type(i) ~= "integer" then
      errors.raise("%s.apply: the gradients should be a list, got a table with the key %s",
        self.__name, errors.describe(i))
    end
    most = math.max(most, i)
  end
  if most > #variables then
    errors.raise("%s.apply: %d gradients for %d variables", self.__name, most, #variables)
  end
end

local warned = setmetatable({}, {__mode = "k"})

local function drop_missing(self, gradients, variables)
  local kept, kept_variables, missing = {}, {}, {}
  for i, variable in ipairs(variables) do
    local gradient = gradients[i]
    if gradient == nil or gradient == false or gradient == null then
      missing[#missing + 1] = variable.path or variable.name or "variable " .. i
    else
      kept[#kept + 1], kept_variables[#kept_variables + 1] = gradient, variable
    end
  end
  if #kept == 0 then
    errors.raise("%s.apply: there is no gradient for any variable", self.__name)
  end
  if #missing > 0 and not warned[self] then
    warned[self] = true
    warnings.warn("no gradient of the loss with respect to %s; these stay as they are",
      table.concat(missing, ", "))
  end
  return kept, kept_variables
end

local function check_known(self, variables)
  for i, variable in ipairs(variables) do
    if not engine.is_variable(variable) then
      errors.raise("%s.apply: variable %d should be a variable, got %s", self.__name, i,
        errors.describe(variable))
    end
    if not self.__own.index[variable] then
      errors.raise(
        "%s.apply: variable %d (%s) is not among those that the optimizer was built with; use "
        .. "another optimizer for another set, or compile the model with a new one", self.__name, i,
        plain.tostring(variable.path or variable.name))
    end
  end
end

local function check_gradients(self, gradients, variables)
  for i, gradient in ipairs(gradients) do
    if type(gradient) ~= "userdata" then
      errors.raise("%s.apply: gradient %d should be a tensor, got %s", self.__name, i,
        errors.describe(gradient))
    end
    if errors.shape(gradient.shape) ~= errors.shape(variables[i].shape) then
      errors.raise("%s.apply: gradient %d has shape %s, but its variable %s has shape %s",
        self.__name, i, errors.shape(gradient.shape),
        plain.tostring(variables[i].path or variables[i].name), errors.shape(variables[i].shape))
    end
  end
end

--- The gradients that there are, and their variables.
-- @tparam Optimizer self built
-- @tparam table gradients one for each variable, or nothing
-- @tparam {Variable,...} variables
-- @treturn {tensor,...}
-- @treturn {Variable,...}
function given_gradients.of_variables(self, gradients, variables)
  check_known(self, variables)
  gradients, variables = drop_missing(self, gradients, variables)
  check_gradients(self, gradients, variables)
  return gradients, variables
end

return given_gradients
