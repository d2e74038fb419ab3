--- Global settings of the library.
-- @module cusp.base.config
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local config = {}
local settings = {epsilon = 1e-7, image_data_format = "channels_last"}
local float_types = {float16 = true, bfloat16 = true, float32 = true, float64 = true}

--- The default dtype of new tensors and weights; initially "float32".
-- @treturn string
function config.floatx() return engine.get_floatx() end

--- Sets the default float dtype.
-- @tparam string dtype "float16", "bfloat16", "float32" or "float64"
function config.set_floatx(dtype)
  if not float_types[dtype] then
    errors.raise(
      "set_floatx: expected \"float16\", \"bfloat16\", \"float32\" or \"float64\", got %s",
      errors.describe(dtype))
  end
  engine.set_floatx(dtype)
end

--- The small constant that keeps quotients and logarithms finite; initially 1e-7.
-- @treturn number
function config.epsilon() return settings.epsilon end

--- Sets that constant.
-- @tparam number value
function config.set_epsilon(value)
  if type(value) ~= "number" then
    errors.raise("set_epsilon: expected a number, got %s", errors.describe(value))
  end
  settings.epsilon = value
end

--- The default image layout of layers: "channels_last" or "channels_first".
-- @treturn string
function config.image_data_format() return settings.image_data_format end

--- Sets the default image layout of layers.
-- @tparam string data_format
function config.set_image_data_format(data_format)
  if data_format ~= "channels_last" and data_format ~= "channels_first" then
    errors.raise("set_image_data_format: expected \"channels_last\" or \"channels_first\", got %s",
      errors.describe(data_format))
  end
  settings.image_data_format = data_format
end

return config
