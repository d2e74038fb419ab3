--- The model between symbolic inputs and outputs: what `cusp.Model{inputs = ..., outputs = ...}` makes.
-- @classmod cusp.models.Functional
local Model = require "cusp.models.model"

return Model:extend("Functional", {__module = "keras.src.models.functional"})
