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

---------------------------------------------------------------- rows of features

function operators.Normalizer(node, x)
  local kind, size = node.a.norm or "MAX"
  x = values.cast(x, "float32")
  if kind == "MAX" then
    size = ops.amax(x, -1, true)
  elseif kind == "L1" then
    size = ops.sum(ops.abs(x), -1, true)
  else
    size = ops.sqrt(ops.sum(ops.square(x), -1, true))
  end
  return ops.where(ops.equal(size, 0), x, ops.divide(x, size))
end

function operators.Imputer(node, x)
  local a = node.a
  local given = a.imputed_value_int64s or a.imputed_value_floats or {0}
  local old = a.replaced_value_int64 or a.replaced_value_float or 0
  local missing = old ~= old and ops.isnan(x) or ops.equal(x, old)
  return ops.where(missing, engine.tensor(given, {dtype = x.dtype}), x)
end

-- Each part has the width that the node says: cut, or filled with zeros.
function operators.FeatureVectorizer(node, ...)
  local parts = {...}
  for i, x in ipairs(parts) do
    local part = ops.cast(#x.shape == 1 and ops.reshape(x, {1, -1}) or x, "float32")
    local width = (node.a.inputdimensions or {})[i] or part.shape[2]
    local missing = width - part.shape[2]
    if missing > 0 then part = ops.pad(part, {{0, 0}, {0, missing}}) end
    parts[i] = missing < 0 and ops.slice(part, {0, 0}, {part.shape[1], width}) or part
  end
  return ops.concatenate(parts, 2)
end

function operators.OneHotEncoder(node, x)
  local categories = node.a.cats_int64s or node.a.cats_strings or {}
  local dtype = node.a.cats_int64s and "int64" or "string"
  if dtype == "int64" then x = ops.cast(x, "int64") end
  local table_ = engine.tensor(categories, {dtype = dtype, shape = {#categories}})
  return ops.cast(ops.equal(ops.expand_dims(x, -1), table_), "float32")
end

---------------------------------------------------------------- linear models

local transforms = {
  NONE = function(x) return x end, LOGISTIC = ops.sigmoid,
  SOFTMAX = function(x) return ops.softmax(x, -1) end,
  SOFTMAX_ZERO = function(x)
    local is_zero = ops.equal(x, 0)
    return ops.where(is_zero, 0.0, ops.softmax(ops.where(is_zero, -math.huge, x), -1))
  end,
}

local function transform_of(node)
  local name = node.a.post_transform or "NONE"
  return transforms[name] or errors.raise("the transform %s is not known", name)
end

local function linear(node, x, count)
  local weights = engine.tensor(node.a.coefficients or {}, {dtype = "float32"})
  local y = ops.matmul(ops.cast(x, "float32"), ops.transpose(ops.reshape(weights, {count, -1})))
  local shift = node.a.intercepts
  return shift and ops.add(y, engine.tensor(shift, {dtype = "float32"})) or y
end

function operators.LinearRegressor(node, x)
  return transform_of(node)(linear(node, x, node.a.targets or 1))
end

-- One row of coefficients tells the second class of two from the first.
local function both_scores(node, score)
  local name = node.a.post_transform or "NONE"
  if name == "NONE" or name == "LOGISTIC" then
    local second = transform_of(node)(score)
    return ops.concatenate({ops.subtract(1.0, second), second}, 2)
  end
  return transform_of(node)(ops.concatenate({ops.negative(score), score}, 2))
end

function operators.LinearClassifier(node, x)
  local labels = node.a.classlabels_ints or node.a.classlabels_strings or {}
  local count = math.max(#(node.a.intercepts or {0}), 1)
  local scores = linear(node, x, count)
  local names = engine.tensor(labels,
    {dtype = node.a.classlabels_ints and "int64" or "string", shape = {#labels}})
  if count == 1 and #labels == 2 then
    local second = ops.cast(ops.greater(ops.reshape(scores, {-1}), 0), "int64")
    return ops.take(names, second, 1), both_scores(node, scores)
  end
  return ops.take(names, ops.argmax(scores, -1), 1), transform_of(node)(scores)
end

return operators
