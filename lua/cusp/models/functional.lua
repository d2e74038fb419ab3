--- The model between symbolic inputs and outputs, made by `cusp.Model{inputs = ..., outputs =
-- ...}`.
-- @classmod cusp.models.Functional
local Model = require "cusp.models.model"

local Functional = Model:extend("Functional",
  {__module = "keras.src.models.functional", __registered_name = "Functional"})

return Functional
