--- The model between symbolic inputs and outputs, made by `cusp.Model{inputs = ..., outputs =
-- ...}`.
-- @classmod cusp.models.Functional
local Model = require "cusp.models.model"
local repeated = require "cusp.models.repeated"

local Functional = Model:extend("Functional",
  {__module = "keras.src.models.functional", __registered_name = "Functional"})

Functional.__call = repeated.call

--- A failure of an operation between the model's tensors, which the user wrote.
function Functional.explain_failure(_, message, operation)
  return ("%s: %s"):format(operation, message)
end

return Functional
