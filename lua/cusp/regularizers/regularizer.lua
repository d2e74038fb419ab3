--- The base of regularizers: called with a weight (or with a layer's outputs), they return a scalar
-- that is added to the loss. Your own class defines `call(self, x)`; a plain function of a tensor
-- works wherever Keras takes a regularizer.
-- @classmod cusp.regularizers.Regularizer
local Object = require "cusp.base.class"
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"

local Regularizer = Object:extend "Regularizer"
Regularizer.__module = "keras.regularizers"

--- Computes the penalty.
-- @tparam tensor x
-- @treturn tensor a scalar
function Regularizer:__call(x)
  if not define.is_symbolic(x) then x = define.tensor(x) end
  return self:call(x)
end

--- Computes the penalty; override it in your own class.
function Regularizer:call()
  errors.raise("%s: a regularizer needs call(self, x)", self.__name)
end

return Regularizer
