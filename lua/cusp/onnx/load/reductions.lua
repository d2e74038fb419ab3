--- Operators along axes: reductions, scans, softmax, sorting, products of matrices.
-- @module cusp.onnx.load.reductions
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

---------------------------------------------------------------- reductions

local function axes_of(node, axes_input, rank)
  local axes = node.a.axes
  if axes_input then axes = values.list(axes_input, node.op .. "'s axes") end
  if axes and #axes > 0 then return values.axes(axes) end
  if node.a.noop_with_empty_axes == 1 then return {} end
  return values.count(rank)
end

local function keeps(node) return (node.a.keepdims or 1) ~= 0 end

local function reducer(f)
  return function(node, x, axes_input)
    local axes = axes_of(node, axes_input, #x.shape)
    return values.cast(f(x, {axis = axes, keepdims = keeps(node)}, #axes == 0), x.dtype)
  end
end

local function extreme(op, empty)
  return function(x, options, none)
    if none then return x end
    if values.product(x.shape) == 0 and empty then
      local sums = ops.sum(ops.cast(x, "float32"), options)
      return ops.full_like(sums, x.dtype == "bool" and empty < 0 and 0 or empty)
    end
    if x.dtype == "bool" then return ops[op](ops.cast(x, "int32"), options) end
    return ops[op](x, options)
  end
end

local function sum(x, options, none) return none and x or ops.sum(x, options) end

operators.ReduceMax = reducer(extreme("amax", -math.huge))
operators.ReduceMin = reducer(extreme("amin", math.huge))
operators.ReduceSum = reducer(sum)
operators.ReduceMean = reducer(function(x, options, none)
  return none and x or ops.mean(x, options)
end)
operators.ReduceProd = reducer(function(x, options, none)
  return none and x or ops.prod(x, options)
end)
operators.ReduceL1 = reducer(function(x, options, none)
  return sum(ops.absolute(x), options, none)
end)
operators.ReduceL2 = reducer(function(x, options, none)
  return ops.sqrt(sum(ops.square(x), options, none))
end)
operators.ReduceSumSquare = reducer(function(x, options, none)
  return sum(ops.square(x), options, none)
end)
operators.ReduceLogSum = reducer(function(x, options, none)
  return ops.log(sum(x, options, none))
end)
operators.ReduceLogSumExp = reducer(function(x, options, none)
  if none then return x end
  if values.product(x.shape) == 0 then return ops.log(ops.sum(ops.exp(x), options)) end
  return ops.logsumexp(x, options)
end)

local function arg(op)
  return function(node, x)
    local axis = values.position(node.a.axis or 0, #x.shape)
    local size, index = x.shape[axis]
    if node.a.select_last_index == 1 then
      index = ops.subtract(size - 1, ops[op](ops.flip(x, axis), axis, keeps(node)))
    else
      index = ops[op](x, axis, keeps(node))
    end
    return ops.cast(index, "int64")
  end
end
operators.ArgMax, operators.ArgMin = arg "argmax", arg "argmin"

---------------------------------------------------------------- scans

local function shifted(x, axis, fill)
  local size = x.shape[axis]
  local first = ops.full_like(ops.take(x, values.integers{0}, axis), fill)
  if size <= 1 then return first end
  return ops.concatenate({first, ops.take(x, values.integers((function()
    local list = {}
    for i = 1, size - 1 do list[i] = i - 1 end
    return list
  end)()), axis)}, axis)
end

local function scan(op, neutral)
  return function(node, x, axis_input)
    local axis = values.position(values.number(axis_input, node.op .. "'s axis"), #x.shape)
    if node.a.reverse == 1 then x = ops.flip(x, axis) end
    local dtype = x.dtype
    if node.a.exclusive == 1 then x = shifted(x, axis, neutral) end
    local result = values.cast(ops[op](x, axis), dtype)
    return node.a.reverse == 1 and ops.flip(result, axis) or result
  end
end
operators.CumSum, operators.CumProd = scan("cumsum", 0), scan("cumprod", 1)

---------------------------------------------------------------- softmax

-- Until opset 13, all axes from `axis` on were one.
local function rowwise(node, x, f)
  if node.opset >= 13 then return f(x, values.axis(node.a.axis or -1)) end
  local axis = values.position(node.a.axis or 1, #x.shape)
  local flat = ops.reshape(x, {values.product(x.shape, 1, axis - 1),
    values.product(x.shape, axis)})
  return ops.reshape(f(flat, 2), x.shape)
end

function operators.Softmax(node, x) return rowwise(node, x, values.softmax) end
function operators.LogSoftmax(node, x) return rowwise(node, x, ops.log_softmax) end

function operators.Hardmax(node, x)
  return rowwise(node, x, function(rows, axis)
    local hot = ops.one_hot(ops.argmax(rows, axis), rows.shape[values.position(axis > 0
      and axis - 1 or axis, #rows.shape)], {dtype = rows.dtype})
    return ops.moveaxis(hot, -1, axis)
  end)
end

---------------------------------------------------------------- norms along an axis

function operators.LpNormalization(node, x)
  local axis, p = values.axis(node.a.axis or -1), node.a.p or 2
  local norm = p == 1 and ops.sum(ops.absolute(x), axis, true)
    or ops.sqrt(ops.sum(ops.square(x), axis, true))
  return ops.divide_no_nan(x, norm)
end

function operators.MeanVarianceNormalization(node, x)
  local options = {axis = values.axes(node.a.axes or {0, 2, 3}), keepdims = true}
  local centred = ops.subtract(x, ops.mean(x, options))
  return ops.divide(centred, ops.add(ops.sqrt(ops.mean(ops.square(centred), options)), 1e-9))
end

---------------------------------------------------------------- sorting

function operators.TopK(node, x, k_input)
  local axis = values.position(node.a.axis or -1, #x.shape)
  local k = k_input and values.number(k_input, "TopK's k") or node.a.k
  if k < 0 or k > x.shape[axis] then
    errors.raise("k should be 0 to %d, got %d", x.shape[axis], k)
  end
  local order
  if (node.a.largest or 1) == 1 then
    local back = ops.flip(x, axis)
    order = ops.flip(ops.subtract(x.shape[axis] - 1, ops.argsort(back, axis)), axis)
  else
    order = ops.argsort(x, axis)
  end
  local first = ops.take(order, ops.arange(k), axis)
  return ops.take_along_axis(x, first, axis), ops.cast(first, "int64")
end

---------------------------------------------------------------- matrices

function operators.MatMul(_, a, b)
  return values.cast(ops.matmul(a, b), a.dtype)
end

function operators.Gemm(node, a, b, c)
  if node.a.transA == 1 then a = ops.transpose(a) end
  if node.a.transB == 1 then b = ops.transpose(b) end
  local alpha, beta = node.a.alpha or 1.0, node.a.beta or 1.0
  local product = ops.matmul(a, b)
  if alpha ~= 1 then product = ops.multiply(product, alpha) end
  if c then product = ops.add(product, beta ~= 1 and ops.multiply(c, beta) or c) end
  return values.cast(product, a.dtype)
end

function operators.Einsum(node, ...)
  local equation = node.a.equation:gsub("%s", "")
  return ops.einsum(equation, ...)
end

function operators.Det(_, x) return ops.det(x) end

function operators.SoftmaxCrossEntropyLoss(node, scores, labels, weights)
  local logs = ops.log_softmax(scores, 2)
  local loss = operators.NegativeLogLikelihoodLoss(node, logs, labels, weights)
  if #node.outputs > 1 then return loss, logs end
  return loss
end

-- The loss of each element and its weight; elements of the class that is ignored weigh nothing.
local function negative_log_likelihood(node, logs, labels, weights)
  local ignored = node.a.ignore_index
  local keep = ignored and ops.not_equal(labels, ignored)
  local classes = keep and ops.where(keep, labels, ops.zeros_like(labels)) or labels
  local picked = ops.squeeze(ops.take_along_axis(logs, ops.expand_dims(classes, 2), 2), 2)
  local weight = weights and ops.take(weights, classes) or ops.ones_like(picked)
  if keep then weight = ops.multiply(weight, ops.cast(keep, weight.dtype)) end
  return ops.negative(ops.multiply(picked, weight)), weight
end

function operators.NegativeLogLikelihoodLoss(node, logs, labels, weights)
  local loss, weight = negative_log_likelihood(node, logs, labels, weights)
  local reduction = node.a.reduction or "mean"
  if reduction == "none" then return values.cast(loss, logs.dtype) end
  local total = ops.sum(loss)
  if reduction == "mean" then total = ops.divide(total, ops.sum(weight)) end
  return values.cast(total, logs.dtype)
end

return operators
