--- Global settings of the library.
-- @module cusp.base.config
local DTypePolicy = require "cusp.base.dtype_policy"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local config = {}
local settings = {epsilon = 1e-7, image_data_format = "channels_last", interactive_logging = true,
  traceback_filtering = os.getenv "CUSP_TRACEBACK" ~= "full"}
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

--- The dtype policy of layers that are given none; that of the default float dtype at first.
-- @treturn DTypePolicy
-- @usage print(cusp.config.dtype_policy().name) --> float32
function config.dtype_policy() return DTypePolicy.get_global() end

--- Sets the dtype policy of layers that are made from now on and given none.
-- @tparam DTypePolicy|string policy such as "mixed_bfloat16"
function config.set_dtype_policy(policy)
  if policy == nil then
    errors.raise("set_dtype_policy: expected a policy or its name, such as \"mixed_bfloat16\"")
  end
  DTypePolicy.set_global(policy)
end

local function set_limit(name, key, value)
  if value ~= nil and (math.type(value) ~= "integer" or value < 1) then
    errors.raise("%s: expected a positive integer or nil, got %s", name, errors.describe(value))
  end
  settings[key] = value
end

--- The most epochs that `fit` makes, whatever it is told; nil at first: no limit.
-- @treturn ?integer
function config.max_epochs() return settings.max_epochs end

--- Limits the epochs of every `fit`, to try a long program out.
-- @tparam ?integer max_epochs
function config.set_max_epochs(max_epochs)
  set_limit("set_max_epochs", "max_epochs", max_epochs)
end

--- The most steps of an epoch of `fit`, and of `evaluate` and `predict`; nil at first: no limit.
-- @treturn ?integer
function config.max_steps_per_epoch() return settings.max_steps end

--- Limits the steps of every pass over data, to try a long program out.
-- @tparam ?integer max_steps_per_epoch
function config.set_max_steps_per_epoch(max_steps_per_epoch)
  set_limit("set_max_steps_per_epoch", "max_steps", max_steps_per_epoch)
end

--- Whether progress is written to standard output; true at first.
-- @treturn boolean
function config.is_interactive_logging_enabled() return settings.interactive_logging end

--- Lets `fit`, `evaluate`, `predict` and callbacks write their progress.
function config.enable_interactive_logging() settings.interactive_logging = true end

--- Keeps `fit`, `evaluate`, `predict` and callbacks from writing progress.
function config.disable_interactive_logging() settings.interactive_logging = false end

--- Whether messages of errors are put in the user's terms; true unless CUSP_TRACEBACK is "full".
-- @treturn boolean
function config.is_traceback_filtering_enabled() return settings.traceback_filtering end

--- Puts messages of errors in the user's terms.
function config.enable_traceback_filtering() settings.traceback_filtering = true end

--- Leaves messages of errors as they were raised within the library.
function config.disable_traceback_filtering() settings.traceback_filtering = false end

--- What computes: always "cusp".
-- @treturn string
function config.backend() return 'cusp' end

return config
