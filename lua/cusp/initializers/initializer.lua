--- The base of initializers: called with a shape, they return the initial value of a weight.
--
--     local kernel = initializer({72, 32}, {dtype = "float32"})
--
-- Your own class defines `call(self, shape, dtype)`; a plain function of `(shape, options)` works
-- wherever Keras takes an initializer.
-- @classmod cusp.initializers.Initializer
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"

local Initializer = Object:extend "Initializer"
Initializer.__module = "keras.initializers"

local signature = "shape: shape, dtype: dtype = nil"

--- Returns the initial value.
-- @tparam {integer,...} shape
-- @tparam[opt] string dtype by default `cusp.config.floatx()`
-- @treturn tensor
function Initializer:__call(...)
  local shape, dtype = arguments.bind(self.__name, signature, nil, ...)
  return self:call(shape, dtype or require("cusp.base.config").floatx())
end

--- Another initializer with the same configuration.
-- @treturn Initializer
function Initializer:clone() return getmetatable(self):from_config(self:get_config()) end

--- Computes the values; override it in your own class.
function Initializer:call()
  errors.raise("%s: an initializer needs call(self, shape, dtype)", self.__name)
end

return Initializer
