--- The base of regularizers: called with a weight (or with a layer's outputs), they give a scalar that is added to the loss.
-- A class of one's own defines `call(self, x)`; a plain function of a tensor will do wherever Keras takes a regularizer.
-- @classmod cusp.regularizers.Regularizer
local Object = require "cusp.class"

local Regularizer = Object:extend "Regularizer"
Regularizer.__module = "keras.regularizers"

--- The penalty.
-- @tparam tensor x
-- @treturn tensor a scalar
function Regularizer:__call(x)
  return self:call(x)
end

return Regularizer
