--- The state of the program.
-- @module cusp.utils.session
local config = require "cusp.base.config"
local define = require "cusp.ops.define"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"

local session = {}

--- Resets the name counters and collects garbage.
function session.clear_session()
  require("cusp.base.names").reset()
  collectgarbage()
end

session.is_keras_tensor = define.is_symbolic

local aliases = {["double"] = "float64", ["float"] = "float32", ["half"] = "float16",
  ["int"] = "int32", ["long"] = "int64"}

--- The name of a dtype in Cusp.
-- @tparam ?string dtype the default float dtype for nil
-- @treturn string
function session.standardize_dtype(dtype)
  if dtype == nil then return config.floatx() end
  local name = aliases[dtype] or dtype
  if not kinds.dtypes[name] then
    errors.raise("unknown dtype %s%s", errors.describe(dtype),
      errors.suggestion(dtype, kinds.dtypes))
  end
  return name
end

session.enable_interactive_logging = config.enable_interactive_logging
session.disable_interactive_logging = config.disable_interactive_logging
session.is_interactive_logging_enabled = config.is_interactive_logging_enabled

local function add_sources(tensor, found, seen)
  if seen[tensor] then return end
  seen[tensor] = true
  local node = tensor._history and tensor._history.node
  if not node or #node.input_tensors == 0 then
    found[#found + 1] = tensor
    return
  end
  for _, input in ipairs(node.input_tensors) do add_sources(input, found, seen) end
end

--- The inputs that a symbolic tensor is computed from.
-- @param tensor
-- @treturn table a list of symbolic tensors
function session.get_source_inputs(tensor)
  if not define.is_symbolic(tensor) then
    errors.raise("get_source_inputs: expected a symbolic tensor, got %s", errors.describe(tensor))
  end
  local found = {}
  add_sources(tensor, found, {})
  return found
end

return session
