--- The model between symbolic inputs and outputs: what `cusp.Model{inputs = ..., outputs = ...}`
-- makes.
-- @classmod cusp.models.Functional
local Model = require "cusp.models.model"

local Functional = Model:extend("Functional",
  {__module = "keras.src.models.functional", __registered_name = "Functional"})

return Functional
