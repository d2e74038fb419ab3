--- The base of quantizers: called with a tensor, they return integers and the scale that these were
-- multiplied by. Your own class defines `call(self, x, axis)`.
-- @classmod cusp.quantizers.Quantizer
-- @tparam[opt="int8"] string output_dtype of the integers
local Object = require "cusp.base.class"
local define = require "cusp.ops.define"

local Quantizer = Object:extend("Quantizer", {
  __module = "keras.quantizers",
  config = {{"output_dtype", "dtype", default = "int8"}},
})

--- Quantizes a tensor.
-- @tparam tensor x
-- @param[opt] axis over which the greatest absolute value is taken
-- @treturn tensor the integers
-- @treturn tensor the scale
function Quantizer:__call(x, axis)
  if not define.is_symbolic(x) then x = define.tensor(x) end
  return self:call(x, axis)
end

--- Computes the integers and the scale; override it in your own class.
function Quantizer:call(x) return x end

return Quantizer
