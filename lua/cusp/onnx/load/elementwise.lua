--- Operators that work element by element.
-- @module cusp.onnx.load.elementwise
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

---------------------------------------------------------------- of the same meaning

for name, op in pairs{Abs = "absolute", Acos = "arccos", Acosh = "arccosh", And = "logical_and",
  Asin = "arcsin", Asinh = "arcsinh", Atan = "arctan", Atanh = "arctanh",
  BitwiseAnd = "bitwise_and", BitwiseNot = "bitwise_not", BitwiseOr = "bitwise_or",
  BitwiseXor = "bitwise_xor", Ceil = "ceil", Cos = "cos", Cosh = "cosh", Equal = "equal",
  Erf = "erf", Exp = "exp", Floor = "floor", Greater = "greater",
  GreaterOrEqual = "greater_equal", IsNaN = "isnan", Less = "less", LessOrEqual = "less_equal",
  Log = "log", Mish = "mish", Mul = "multiply", Add = "add", Sub = "subtract", Neg = "negative",
  Not = "logical_not", Or = "logical_or", Reciprocal = "reciprocal", Relu = "relu",
  Round = "round", Sigmoid = "sigmoid", Sign = "sign", Sin = "sin", Sinh = "sinh",
  Softplus = "softplus", Softsign = "softsign", Sqrt = "sqrt", Tan = "tan", Tanh = "tanh",
  Where = "where", Xor = "logical_xor", HardSwish = "hard_silu"} do
  operators[name] = function(_, ...) return ops[op](...) end
end

function operators.Identity(_, x) return x end
operators.StopGradient = operators.Identity

---------------------------------------------------------------- arithmetic of integers

local function truncated_quotient(a, b)
  local size = ops.floor_divide(ops.absolute(a), ops.absolute(b))
  return ops.multiply(size, ops.multiply(ops.sign(a), ops.sign(b)))
end

function operators.Div(_, a, b)
  if values.is_float(a.dtype) then return ops.divide(a, b) end
  if a.dtype:find "^u" then return ops.floor_divide(a, b) end
  return values.cast(truncated_quotient(a, b), a.dtype)
end

function operators.Mod(node, a, b)
  if node.a.fmod == 1 then return ops.fmod(a, b) end
  return ops.mod(a, b)
end

function operators.Pow(_, x, y)
  if values.is_float(x.dtype) or not values.is_float(y.dtype) then
    return ops.power(x, values.cast(y, x.dtype))
  end
  return ops.cast(ops.power(ops.cast(x, y.dtype), y), x.dtype)
end

function operators.BitShift(node, x, y)
  return (node.a.direction == "LEFT" and ops.left_shift or ops.right_shift)(x, y)
end

---------------------------------------------------------------- of many inputs

local function fold(f)
  return function(_, first, ...)
    local result = first
    for _, value in ipairs{...} do result = f(result, value) end
    return result
  end
end

operators.Max = fold(function(a, b) return ops.maximum(a, b) end)
operators.Min = fold(function(a, b) return ops.minimum(a, b) end)
operators.Sum = fold(function(a, b) return ops.add(a, b) end)

function operators.Mean(node, ...)
  return ops.divide(operators.Sum(node, ...), select("#", ...))
end

---------------------------------------------------------------- activations

local function as(x, y) return values.cast(y, x.dtype) end

function operators.Celu(node, x) return ops.celu(x, node.a.alpha or 1.0) end
function operators.Elu(node, x) return ops.elu(x, node.a.alpha or 1.0) end

function operators.Gelu(node, x)
  return ops.gelu(x, {approximate = node.a.approximate == "tanh"})
end

function operators.HardSigmoid(node, x)
  return ops.clip(ops.add(ops.multiply(x, node.a.alpha or 0.2), node.a.beta or 0.5), 0, 1)
end

function operators.LeakyRelu(node, x)
  return as(x, ops.where(ops.less(x, 0), ops.multiply(x, node.a.alpha or 0.01), x))
end

-- Files converted from before opset 7 have a slope for each channel.
function operators.PRelu(_, x, slope)
  local count = slope.shape[1]
  if #slope.shape == 1 and #x.shape > 2 and count ~= 1 and count == x.shape[2]
    and count ~= x.shape[#x.shape] then
    slope = ops.reshape(slope, {count, table.unpack(values.fill(#x.shape - 2, 1))})
  end
  return as(x, ops.where(ops.less(x, 0), ops.multiply(x, slope), x))
end

function operators.Selu(node, x)
  local alpha, gamma = node.a.alpha or 1.67326319217681884765625,
    node.a.gamma or 1.05070102214813232421875
  local low = ops.multiply(ops.expm1(ops.minimum(x, 0)), alpha)
  return as(x, ops.multiply(ops.where(ops.greater(x, 0), x, low), gamma))
end

function operators.Shrink(node, x)
  local bias, limit = node.a.bias or 0.0, node.a.lambd or 0.5
  if not values.is_float(x.dtype) then bias = math.tointeger(bias) or bias end
  local zero = ops.zeros_like(x)
  return as(x, ops.where(ops.less(x, -limit), ops.add(x, bias),
    ops.where(ops.greater(x, limit), ops.subtract(x, bias), zero)))
end

function operators.Swish(node, x)
  return ops.multiply(x, ops.sigmoid(ops.multiply(x, node.a.alpha or 1.0)))
end

function operators.SwiGLU(node, gate, value)
  if not value then
    gate, value = table.unpack(ops.split(gate, 2, {axis = values.axis(node.a.axis or -1)}))
  end
  return ops.multiply(operators.Swish(node, gate), value)
end

function operators.ThresholdedRelu(node, x)
  return as(x, ops.where(ops.greater(x, node.a.alpha or 1.0), x, ops.zeros_like(x)))
end

function operators.Clip(node, x, low, high)
  low, high = low or node.a.min, high or node.a.max
  if low then x = as(x, ops.maximum(x, low)) end
  if high then x = as(x, ops.minimum(x, high)) end
  return x
end

function operators.IsInf(node, x)
  local positive = (node.a.detect_positive or 1) == 1 and ops.isposinf(x)
  local negative = (node.a.detect_negative or 1) == 1 and ops.isneginf(x)
  if positive and negative then return ops.logical_or(positive, negative) end
  return positive or negative or ops.zeros_like(x, {dtype = "bool"})
end

--- In what a model computes when it is run, nothing is dropped.
function operators.Dropout(node, x, ratio, training)
  local drops = training and values.number(training, "Dropout's training_mode")
  if drops and drops ~= 0 and drops ~= false and not (ratio
    and values.number(ratio, "Dropout's ratio") == 0) then
    errors.raise "a Dropout with training_mode on draws random numbers, which have no one result"
  end
  if #node.outputs < 2 then return x end
  return x, ops.ones_like(x, {dtype = "bool"})
end

---------------------------------------------------------------- dtypes

local function wanted(number)
  local dtype, foreign = dtypes.name(number)
  return dtype or errors.raise("elements of %s are not among Cusp's dtypes", foreign)
end

function operators.Cast(node, x) return values.cast(x, wanted(node.a.to)) end
function operators.CastLike(_, x, like) return values.cast(x, like.dtype) end

function operators.BitCast(node, x)
  local dtype = wanted(node.a.to)
  if dtype == "bool" or x.dtype == "bool" then
    return engine.files.tensor_from_string(x:tobytes(), dtype, x.shape)
  end
  return ops.view(x, dtype)
end

return operators
