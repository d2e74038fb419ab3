--- Operators of the domain com.microsoft: what onnxruntime's tools write of quantized models, and
-- what its optimizer joins.
-- @module cusp.onnx.load.contributed
local elementwise = require "cusp.onnx.load.elementwise"
local errors = require "cusp.base.errors"
local normalization = require "cusp.onnx.load.normalization"
local ops = require "cusp.ops"
local quantization = require "cusp.onnx.load.quantization"
local recurrent = require "cusp.onnx.load.recurrent"
local reductions = require "cusp.onnx.load.reductions"
local shaping = require "cusp.onnx.load.shaping"
local windows = require "cusp.onnx.load.windows"

local operators = {QuantizeLinear = quantization.QuantizeLinear,
  DequantizeLinear = quantization.DequantizeLinear}

local function real(node, x, scale, zero)
  return quantization.DequantizeLinear(node, x, scale, zero)
end

local function whole(node, y, scale, zero)
  return quantization.QuantizeLinear(node, y, scale, zero)
end

---------------------------------------------------------------- quantized: in floats, rounded once

local function unary(f)
  return function(node, x, scale, zero, y_scale, y_zero)
    return whole(node, f(node, real(node, x, scale, zero)), y_scale, y_zero)
  end
end

local function binary(f)
  return function(node, a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)
    return whole(node, f(real(node, a, a_scale, a_zero), real(node, b, b_scale, b_zero)), y_scale,
      y_zero)
  end
end

-- Pooling of images whose channels may be last.
local function pooled(f)
  return unary(function(node, x)
    if node.a.channels_last ~= 1 then return f(node, x) end
    return ops.moveaxis(f(node, ops.moveaxis(x, -1, 2)), 2, -1)
  end)
end

operators.QLinearAdd, operators.QLinearMul = binary(ops.add), binary(ops.multiply)
operators.QLinearSigmoid = unary(function(_, x) return ops.sigmoid(x) end)
operators.QLinearLeakyRelu = unary(elementwise.LeakyRelu)
operators.QLinearReduceMean = unary(function(node, x)
  return reductions.ReduceMean({a = node.a, opset = 13}, x) -- axes are an attribute
end)
operators.QLinearAveragePool = pooled(windows.AveragePool)
operators.QLinearGlobalAveragePool = pooled(windows.GlobalAveragePool)

operators.QLinearSoftmax = unary(function(node, x)
  return reductions.Softmax({a = node.a, opset = node.a.opset or node.opset}, x)
end)

function operators.QLinearConcat(node, y_scale, y_zero, ...)
  local given, parts = {...}, {}
  for i = 1, #given, 3 do
    parts[#parts + 1] = real(node, given[i], given[i + 1], given[i + 2])
  end
  return whole(node, shaping.Concat(node, table.unpack(parts)), y_scale, y_zero)
end

function operators.QLinearWhere(node, condition, a, a_scale, a_zero, b, b_scale, b_zero, y_scale,
    y_zero)
  return whole(node, ops.where(condition, real(node, a, a_scale, a_zero),
    real(node, b, b_scale, b_zero)), y_scale, y_zero)
end

-- The bias is in steps of both scales' product.
function operators.QGemm(node, a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero)
  local columns = {a = {axis = node.a.transB == 1 and 0 or 1}}
  local bias = c and ops.multiply(ops.cast(c, "float32"), ops.multiply(a_scale, b_scale))
  local product = reductions.Gemm({a = {alpha = node.a.alpha, transA = node.a.transA,
    transB = node.a.transB}, opset = node.opset}, real(node, a, a_scale, a_zero),
    real(columns, b, b_scale, b_zero), bias)
  return y_scale and whole(node, product, y_scale, y_zero) or product
end

local function biased(product, bias) return bias and ops.add(product, bias) or product end

local last_axis = {a = {axis = -1}}

function operators.MatMulIntegerToFloat(node, a, b, a_scale, b_scale, a_zero, b_zero, bias)
  return biased(ops.matmul(real(node, a, a_scale, a_zero), real(last_axis, b, b_scale, b_zero)),
    bias)
end

function operators.DynamicQuantizeMatMul(node, a, b, b_scale, b_zero, bias)
  return biased(ops.matmul(real(node, quantization.DynamicQuantizeLinear(node, a)),
    real(last_axis, b, b_scale, b_zero)), bias)
end

-- Weights [direction, size, gates] with a scale for each direction, or each column of one.
local function recurrent_weight(w, scale, zero)
  local directions = w.shape[1]
  local function spread(value) return ops.reshape(value, {directions, 1, -1}) end
  local wide = ops.cast(w, "float32")
  if zero then wide = ops.subtract(wide, ops.cast(spread(zero), "float32")) end
  return ops.transpose(ops.multiply(wide, spread(scale)), {1, 3, 2})
end

-- What goes in is not rounded to the steps that each call would find.
function operators.DynamicQuantizeLSTM(node, x, w, r, bias, lengths, h, c, peepholes, w_scale,
    w_zero, r_scale, r_zero)
  return recurrent.LSTM(node, x, recurrent_weight(w, w_scale, w_zero),
    recurrent_weight(r, r_scale, r_zero), bias, lengths, h, c, peepholes)
end

---------------------------------------------------------------- what the optimizer joins

local function turned(x, transposes, batch)
  if batch == 1 then
    errors.raise "transposed batches (transBatchA, transBatchB) are not read"
  end
  return transposes == 1 and ops.swapaxes(x, -1, -2) or x
end

function operators.FusedMatMul(node, a, b)
  local product = ops.matmul(turned(a, node.a.transA, node.a.transBatchA),
    turned(b, node.a.transB, node.a.transBatchB))
  return ops.multiply(product, node.a.alpha or 1.0)
end

local function activated(node, y)
  local name, given = node.a.activation, node.a.activation_params or {}
  if not name then return y end
  local f = elementwise[name] or errors.raise("the activation %s is not known", name)
  if name == "Clip" then return ops.clip(y, given[1], given[2]) end
  return f({a = {alpha = given[1], beta = given[2]}, opset = node.opset}, y)
end

function operators.FusedConv(node, x, w, bias, sum)
  local y = windows.Conv(node, x, w, bias)
  return activated(node, sum and ops.add(y, sum) or y)
end

function operators.FusedGemm(node, a, b, c)
  local y = reductions.Gemm(node, a, b, c)
  return activated({a = {activation = node.a.activation,
    activation_params = {node.a.activation_alpha, node.a.activation_beta}}, opset = node.opset}, y)
end

function operators.Gelu(_, x) return ops.gelu(x, false) end

function operators.BiasGelu(_, x, bias) return ops.gelu(ops.add(x, bias), false) end

function operators.FastGelu(_, x, bias) return ops.gelu(biased(x, bias), true) end

function operators.QuickGelu(node, x)
  return ops.multiply(x, ops.sigmoid(ops.multiply(x, node.a.alpha or 1.702)))
end

local function skipped(node, normalize, x, skip, bias)
  local sum = biased(ops.add(x, skip), bias)
  return normalize({a = {axis = -1, epsilon = node.a.epsilon or 1e-5}, opset = node.opset,
    outputs = {""}}, sum), sum
end

function operators.SkipLayerNormalization(node, x, skip, scale, shift, bias)
  local y, sum = skipped(node, function(inner, value)
    return (normalization.LayerNormalization(inner, value, scale, shift))
  end, x, skip, bias)
  return y, nil, nil, sum
end

function operators.SkipSimplifiedLayerNormalization(node, x, skip, scale, bias)
  local y, sum = skipped(node, function(inner, value)
    return (normalization.RMSNormalization(inner, value, scale))
  end, x, skip, bias)
  return y, nil, nil, sum
end

return operators
