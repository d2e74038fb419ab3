--- Quantization by the greatest absolute value: that becomes the end of the range.
-- @classmod cusp.quantizers.AbsMaxQuantizer
-- @tparam[opt] integer|table axis over which the value is taken, unless a call says it; -1
-- @tparam[opt] table value_range the least and the greatest integer, `{-127, 127}`
-- @tparam[opt=1e-07] number epsilon keeps the scale of zeros finite
-- @tparam[opt="int8"] string output_dtype
-- @usage local integers, scale = cusp.quantizers.AbsMaxQuantizer{axis = 1}(kernel)
local Quantizer = require "cusp.quantizers.quantizer"
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"

local range_row = {"value_range", "list", list_of = "number", default = {-127, 127}}

local AbsMaxQuantizer = Quantizer:extend("AbsMaxQuantizer", {
  config = {
    {"axis", "axes", optional = true}, range_row,
    {"epsilon", "number", default = 1e-07, min = 0}, {"output_dtype", "dtype", default = "int8"},
  },
})

local function check_range(name, range)
  if #range ~= 2 or range[1] > range[2] then
    errors.raise("%s: argument 'value_range' should be the least and the greatest integer, got %s",
      name, errors.describe(range))
  end
end

function AbsMaxQuantizer:init(args)
  self:configure(args, AbsMaxQuantizer)
  check_range("AbsMaxQuantizer", self.value_range)
  if type(self.axis) == "number" then self.axis = {self.axis} end
  local low, high = self.value_range[1], self.value_range[2]
  if self.output_dtype == "int8" and (low < -128 or high > 127) then
    errors.raise("AbsMaxQuantizer: with output_dtype = \"int8\", value_range should be within "
      .. "{-128, 127}, got {%s, %s}", low, high)
  end
end

local function quantize(x, axis, range, dtype, epsilon)
  local top = ops.max(ops.abs(x), {axis = axis, keepdims = true})
  local scale = ops.divide(range[2], ops.add(top, epsilon))
  if scale.dtype ~= x.dtype then scale = ops.cast(scale, x.dtype) end
  local rounded = ops.round(ops.multiply(x, scale))
  return ops.cast(ops.clip(rounded, range[1], range[2]), dtype), scale
end

function AbsMaxQuantizer:call(x, axis)
  return quantize(x, axis or self.axis or -1, self.value_range, self.output_dtype, self.epsilon)
end

--- Keras writes the axis only where there is one.
function AbsMaxQuantizer:get_config()
  local config = ordered.object({value_range = self.value_range, epsilon = self.epsilon,
    output_dtype = self.output_dtype}, {"value_range", "epsilon", "output_dtype"})
  if self.axis then
    local kinds = require "cusp.base.kinds"
    ordered.set(config, "axis", kinds.to_config({"axis", "axes"}, self.axis))
  end
  return config
end

local bind = arguments.binder("abs_max_quantize", {
  {"inputs", "any"}, {"axis", "axes"}, range_row, {"dtype", "dtype", default = "int8"},
  {"epsilon", "number", default = 1e-07, min = 0}, {"to_numpy", "boolean", default = false},
}, false)

local functions = {AbsMaxQuantizer = AbsMaxQuantizer}

--- Quantizes a tensor by its greatest absolute value along axes.
-- @tparam tensor inputs
-- @tparam integer|table axis
-- @tparam[opt] table value_range the least and the greatest integer, `{-127, 127}`
-- @tparam[opt="int8"] string dtype of the integers
-- @tparam[opt=1e-07] number epsilon keeps the scale of zeros finite
-- @tparam[opt=false] boolean to_numpy changes nothing here
-- @treturn tensor the integers: `inputs * scale`, rounded
-- @treturn tensor the scale, with sizes of 1 along the axes
function functions.abs_max_quantize(...)
  local inputs, axis, range, dtype, epsilon = bind(...)
  check_range("abs_max_quantize", range)
  if not define.is_symbolic(inputs) then inputs = define.tensor(inputs) end
  return quantize(inputs, axis, range, dtype, epsilon)
end

return functions
