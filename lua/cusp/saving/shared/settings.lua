--- Settings that optimizers of files of Keras 2 have and Keras 3's configurations cannot hold. They
-- stand beside the configuration, where Keras does not look: in metadata.json, or in an attribute.
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

--- The settings of a model's optimizer that are not the defaults; nil if there is none.
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

--- Gives a model's optimizer its settings back.
-- @tparam Model model compiled as its file says
-- @param settings what the file holds; anything else than a table of known settings is passed over
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
