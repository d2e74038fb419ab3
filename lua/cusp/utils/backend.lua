--- What Keras keeps under `backend`: settings, and questions about dtypes.
-- @module cusp.backend
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local session = require "cusp.utils.session"

local backend = {
  backend = config.backend, clear_session = session.clear_session,
  epsilon = config.epsilon, set_epsilon = config.set_epsilon,
  floatx = config.floatx, set_floatx = config.set_floatx,
  image_data_format = config.image_data_format,
  set_image_data_format = config.set_image_data_format,
  is_keras_tensor = session.is_keras_tensor, standardize_dtype = session.standardize_dtype,
}

--- Whether a dtype is a floating-point one.
-- @tparam string dtype
-- @treturn boolean
function backend.is_float_dtype(dtype)
  return session.standardize_dtype(dtype):find("float", 1, true) ~= nil
end

--- Whether a dtype is one of integers.
-- @tparam string dtype
-- @treturn boolean
function backend.is_int_dtype(dtype)
  return session.standardize_dtype(dtype):find "^u?int" ~= nil
end

local numbers = {int = 0, float = 0.0}

-- What stands for a dtype in a sum; "int" and "float" are those of numbers, which yield to tensors.
local function stand_in(dtype)
  return numbers[dtype] or engine.ops.zeros({}, session.standardize_dtype(dtype))
end

--- The dtype of what an operation makes of operands of these dtypes.
-- @tparam string ... dtypes; "int" and "float" stand for numbers
-- @treturn string
-- @usage cusp.backend.result_type("int32", "float") --> float32
function backend.result_type(...)
  local dtypes, sum = {...}, nil
  table.sort(dtypes, function(a, b) return numbers[a] == nil and numbers[b] ~= nil end)
  for _, dtype in ipairs(dtypes) do
    local value = stand_in(dtype)
    sum = sum and engine.ops.add(sum, value) or value
  end
  if type(sum) == "number" then sum = engine.tensor(sum) end
  return sum and sum.dtype or config.floatx()
end

return backend
