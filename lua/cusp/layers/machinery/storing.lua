--- What files keep of a layer's own variables, by name: `store["0"]`, `store["1"]`, ...
-- @module cusp.layers.machinery.storing
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local sharding = require "cusp.base.sharding"

local storing = {}

-- What stands in a file for a variable, and the variables that it stands for.
local function entries(layer)
  if layer.__own.quantized then return layer:quantized_entries() end
  local list, adapted = {}, layer.lora_enabled
  for _, variable in ipairs(layer:own_variables()) do
    local name = variable.name or ""
    local weight = adapted and rawget(layer, "_" .. name) == variable
    if not (adapted and name:find "^lora_") then
      list[#list + 1] = {variable, weight and layer[name] or variable}
    end
  end
  return list
end

--- Puts the variables into a table; of an adapted layer, the weight with what was learned added.
function storing.save(layer, store)
  for i, entry in ipairs(entries(layer)) do store[tostring(i - 1)] = entry[2] end
end

-- Integers of a quantized layer are not what floating-point values would be rounded to.
local function check_kind(layer, variable, value)
  if variable.dtype ~= "int8" or type(value) ~= "userdata" or value.dtype == "int8" then return end
  errors.raise("%s (%s).load_own_variables: the variable %s holds int8, got %s, as of a layer that "
    .. "is not quantized", layer.name, getmetatable(layer).__name, variable.path or variable.name,
    value.dtype)
end

local function check_count(layer, count, store)
  if not layer.__own.quantized or store[tostring(count)] == nil then return end
  errors.raise("%s (%s).load_own_variables: there are more than the layer's %d variables",
    layer.name, getmetatable(layer).__name, count)
end

--- Assigns what a table holds to the variables: all or none.
function storing.load(layer, store)
  local variables, values, list = {}, {}, entries(layer)
  check_count(layer, #list, store)
  for i, entry in ipairs(list) do
    local variable, value = entry[1], store[tostring(i - 1)]
    if value == nil then
      errors.raise("%s (%s).load_own_variables: there is no variable %d (%s)", layer.name,
        getmetatable(layer).__name, i - 1, variable.path or variable.name)
    end
    check_kind(layer, variable, value)
    variables[i] = variable
    values[i] = sharding.part_of(variable, engine.tensor(value, {dtype = variable.dtype}))
    if errors.shape(values[i].shape) ~= errors.shape(variable.shape) then
      errors.raise("%s (%s).load_own_variables: the variable %d (%s) has shape %s, got %s",
        layer.name, getmetatable(layer).__name, i - 1, variable.path or variable.name,
        errors.shape(variable.shape), errors.shape(values[i].shape))
    end
  end
  for _, variable in ipairs(layer.lora_enabled and layer:own_variables() or {}) do
    if (variable.name or ""):find "^lora_" then
      variables[#variables + 1] = variable
      values[#values + 1] = engine.ops.zeros_like(variable)
    end
  end
  engine.assign_all(variables, values)
end

return storing
