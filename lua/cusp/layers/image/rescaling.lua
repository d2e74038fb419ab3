--- `inputs * scale + offset`: `layers.Rescaling(1 / 255)` maps pixels from 0 to 255 to numbers from
-- 0 to 1.
-- @classmod cusp.layers.Rescaling
-- @tparam number|table scale a number, or one per channel
-- @tparam[opt=0] number|table offset
local Layer = require "cusp.layers.machinery.layer"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ops = require "cusp.ops"

kinds.define("factor", {
  check = function(value)
    if type(value) == "number" then return true end
    if not kinds.is_plain(value) then return false end
    for i = 1, #value do
      if type(value[i]) ~= "number" then return false end
    end
    return #value > 0
  end,
  expects = "a number or a list of numbers",
})

local function operand(value, dtype)
  return type(value) == "table" and engine.tensor(value, {dtype = dtype}) or value
end

return Layer:extend("Rescaling", {
  supports_masking = true,
  first_is_list = false,
  config = {{"scale", "factor"}, {"offset", "factor", default = 0.0}},

  call = function(self, inputs)
    local dtype = self.compute_dtype
    if inputs.dtype ~= dtype then inputs = ops.cast(inputs, dtype) end
    local scale, offset = operand(self.scale, dtype), operand(self.offset, dtype)
    for _, value in ipairs{scale, offset} do
      if type(value) == "userdata" and value.shape[1] ~= 1
        and value.shape[1] ~= inputs.shape[#inputs.shape] then
        errors.raise("%d factors do not fit an input of shape %s", value.shape[1],
          errors.shape(inputs.shape))
      end
    end
    return ops.add(ops.multiply(inputs, scale), offset)
  end,

  compute_output_shape = function(_, input_shape) return input_shape end,
})
