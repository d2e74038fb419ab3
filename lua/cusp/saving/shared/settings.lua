--- Settings of optimizers from Keras 2 files that Keras 3's configurations cannot hold. They are
-- stored outside the configuration, where Keras does not look: in metadata.json, or in an
-- attribute.
-- @module cusp.saving.shared.settings
local kinds = require "cusp.base.kinds"
local optimizer_state = require "cusp.saving.shared.optimizer_state"

local keras2_settings = {}

local function parameters_of(model)
  local optimizer = model.compiled and model.optimizer
  if not optimizer or not optimizer_state.is_optimizer(optimizer) then return {}, nil end
  optimizer = optimizer_state.inner(optimizer)
  local result = {}
  for _, parameter in ipairs(optimizer.config) do
    if parameter.of_keras2 then result[#result + 1] = parameter end
  end
  return result, optimizer
end

--- The settings of a model's optimizer that are not defaults; nil if there are none.
-- @tparam Model model
-- @treturn ?table
function keras2_settings.of(model)
  local result = {}
  local parameters, optimizer = parameters_of(model)
  for _, parameter in ipairs(parameters) do
    local value = optimizer[parameter[1]]
    if value ~= parameter.default then result[parameter[1]] = value end
  end
  return next(result) ~= nil and result or nil
end

--- Restores the settings of a model's optimizer.
-- @tparam Model model compiled according to its file
-- @param settings from the file; anything but a table of known settings is ignored
function keras2_settings.restore(model, settings)
  if not kinds.is_plain(settings) then return end
  local parameters, optimizer = parameters_of(model)
  for _, parameter in ipairs(parameters) do
    local value = settings[parameter[1]]
    if value ~= nil and kinds.of(parameter).check(value, parameter) then
      optimizer[parameter[1]] = value
    end
  end
end

return keras2_settings
