--- Properties of a tensor other than its values: shape, rank, dtype.
-- @module cusp.ops.inspect
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local kinds = require "cusp.base.kinds"

-- Symbolic tensors also know their shapes, so these functions answer immediately and record
-- nothing.
local function of_any(value)
  return define.is_symbolic(value) and value or define.tensor(value)
end

local function is_tensor(value)
  return define.is_symbolic(value)
    or type(value) == "userdata" and (engine.is_tensor(value) or engine.is_variable(value))
end

define.raw("is_tensor", "Whether a value is a tensor or a variable.", function(value)
  local alone = kinds.is_plain(value) and (value.x or #value == 1 and value[1])
  return is_tensor(alone or value)
end, false, true)

define.ops{
  {"shape", "x: any", "The shape, as a table of sizes.", function(x)
    return of_any(x).shape
  end, plain = true},
  {"ndim", "x: any", "The number of axes.", function(x) return #of_any(x).shape end, plain = true},
  {"dtype", "x: any", "The dtype, as a string.", function(x)
    return of_any(x).dtype
  end, plain = true},
  {"size", "x: any", "The number of elements.", function(x)
    return require("cusp.base.shape").size(of_any(x).shape)
  end, plain = true},
  {"convert_to_numpy", "x", "The values as nested tables.", function(x) return x:tolist() end},
}
