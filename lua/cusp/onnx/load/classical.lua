--- Operators of the domain ai.onnx.ml that work on numbers.
-- @module cusp.onnx.load.classical
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

function operators.Binarizer(node, x)
  return ops.cast(ops.greater(x, node.a.threshold or 0.0), x.dtype)
end

function operators.ArrayFeatureExtractor(_, x, indices)
  local rows = #x.shape == 1 and ops.reshape(x, {1, -1}) or x
  return ops.take(rows, ops.reshape(indices, {-1}), -1)
end

function operators.Scaler(node, x)
  return ops.multiply(ops.subtract(ops.cast(x, "float32"),
    engine.tensor(node.a.offset, {dtype = "float32"})),
    engine.tensor(node.a.scale, {dtype = "float32"}))
end

local function encoder_lists(a)
  local keys = a.keys_tensor and a.keys_tensor:flat() or a.keys_floats or a.keys_int64s
    or a.keys_strings
  local found, dtype, default
  if a.values_tensor then
    found, dtype = a.values_tensor:flat(), a.values_tensor.dtype
    default = a.default_tensor and a.default_tensor:flat()[1]
  elseif a.values_floats then
    found, dtype, default = a.values_floats, "float32", a.default_float or -0.0
  elseif a.values_int64s then
    found, dtype, default = a.values_int64s, "int64", a.default_int64 or -1
  else
    found, dtype, default = a.values_strings, "string", a.default_string or "_Unused"
  end
  return keys or {}, found or {}, dtype, default
end

local nan = {}

local function key_of(value) return value ~= value and nan or value end

function operators.LabelEncoder(node, x)
  local keys, found, dtype, default = encoder_lists(node.a)
  local map, result = {}, {}
  for i, key in ipairs(keys) do map[key_of(key)] = found[i] end
  for i, value in ipairs(values.list(x, "LabelEncoder's input")) do
    result[i] = map[key_of(value)]
    if result[i] == nil then result[i] = default end
    if result[i] == nil then errors.raise "a value has no label and there is no default" end
  end
  return engine.tensor(result, {dtype = dtype, shape = {table.unpack(x.shape)}})
end

return operators
