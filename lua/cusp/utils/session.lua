--- The state of the program.
-- @module cusp.utils.session
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"

local session = {}

--- Resets the name counters and collects garbage.
function session.clear_session()
  require("cusp.base.names").reset()
  collectgarbage()
end

--- Whether a value is a symbolic tensor, from a model under construction.
-- @treturn boolean
session.is_keras_tensor = define.is_symbolic

local aliases = {["double"] = "float64", ["float"] = "float32", ["half"] = "float16",
  ["int"] = "int32", ["long"] = "int64"}

--- The name of a dtype in Cusp.
-- @tparam ?string dtype the default float dtype for nil
-- @treturn string
function session.standardize_dtype(dtype)
  if dtype == nil then return require("cusp.base.config").floatx() end
  local name = aliases[dtype] or dtype
  if not kinds.dtypes[name] then
    errors.raise("unknown dtype %s%s", errors.describe(dtype),
      errors.suggestion(dtype, kinds.dtypes))
  end
  return name
end

return session
