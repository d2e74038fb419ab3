--- Rows that work element by element, as ONNX's operators.
-- @module cusp.onnx.export.elementwise
local dtypes = require "cusp.onnx.messages.dtypes"
local ops = require "cusp.ops"

local rules = {}

---------------------------------------------------------------- one order of axes for all operands

local function order_of(inputs, rank)
  for _, value in ipairs(inputs) do
    if value.order and #value.order == rank then return value.order end
  end
end

local function is_one_number(value)
  return value.constant and #value.constant.shape == 0
end

-- The constant as it broadcasts against values of that rank, with axes as they are stored.
local function reordered(g, value, order)
  local shape, rank = {}, #value.constant.shape
  for i = 1, #order - rank do shape[i] = 1 end
  for i = 1, rank do shape[#order - rank + i] = value.constant.shape[i] end
  local whole = g:constant(ops.reshape(value.constant, shape), value.hint)
  return g:transpose(whole, g.invert(order))
end

local function same_order(order, other)
  return other ~= nil and table.concat(order, ",") == table.concat(other, ",")
end

-- Operands with their axes as stored, where all can be had in one order; and that order.
local function align(g, inputs, rank)
  local order = order_of(inputs, rank)
  if not order then return inputs end
  local aligned = {}
  for i, value in ipairs(inputs) do
    if is_one_number(value) then
      aligned[i] = value
    elseif value.constant then
      aligned[i] = reordered(g, value, order)
    elseif same_order(order, value.order) then
      aligned[i] = {name = value.name}
    else
      return inputs
    end
  end
  return aligned, order
end

-- Applies `write(g, operands...)`, below a transpose that all operands share.
local function apply(g, node, inputs, write)
  local operands, order = align(g, inputs, #node.shape)
  local result = write(g, table.unpack(operands))
  if order then result.order = order end
  return result
end

local function rule(write)
  return function(g, node, inputs)
    return apply(g, node, inputs, function(_, ...) return write(g, node, ...) end)
  end
end

---------------------------------------------------------------- operators of the same meaning

local same = {
  negative = "Neg", absolute = "Abs", abs = "Abs", fabs = "Abs", sign = "Sign", sqrt = "Sqrt",
  reciprocal = "Reciprocal",
  exp = "Exp", log = "Log", sin = "Sin", cos = "Cos", tan = "Tan", arcsin = "Asin",
  arccos = "Acos", arctan = "Atan", sinh = "Sinh", cosh = "Cosh", tanh = "Tanh",
  arcsinh = "Asinh", arccosh = "Acosh", arctanh = "Atanh", erf = "Erf", ceil = "Ceil",
  floor = "Floor", isnan = "IsNaN", isinf = "IsInf", subtract = "Sub", divide = "Div",
  true_divide = "Div", power = "Pow", equal = "Equal", less = "Less", less_equal = "LessOrEqual",
  greater = "Greater", greater_equal = "GreaterOrEqual", logical_and = "And", logical_or = "Or",
  logical_xor = "Xor", logical_not = "Not", select_where = "Where", sigmoid = "Sigmoid",
  softplus = "Softplus", round_to_whole = "Round",
}
for name, op in pairs(same) do
  rules[name] = rule(function(g, _, ...) return g:node(op, {...}) end)
end

-- Bools are added and multiplied as logic.
for name, pair in pairs{add = {"Add", "Or"}, multiply = {"Mul", "And"}, maximum = {"Max", "Or"},
  minimum = {"Min", "And"}} do
  rules[name] = rule(function(g, node, a, b)
    return g:node(node.dtype == "bool" and pair[2] or pair[1], {a, b})
  end)
end

for name, op in pairs{bitwise_and = "BitwiseAnd", bitwise_or = "BitwiseOr",
  bitwise_xor = "BitwiseXor", bitwise_not = "BitwiseNot"} do
  rules[name] = rule(function(g, node, ...)
    g:need(18, node.op)
    return g:node(op, {...})
  end)
end

for name, direction in pairs{left_shift = "LEFT", right_shift = "RIGHT"} do
  rules[name] = rule(function(g, _, a, b)
    return g:node("BitShift", {a, b}, {direction = direction})
  end)
end

---------------------------------------------------------------- compositions

local function number(g, node, value) return g:number(value, node.dtype) end

-- The other of two where one is not a number.
local function without_nan(g, op, a, b)
  local both = g:node(op, {a, b})
  return g:node("Where", {g:node("IsNaN", {a}), b,
    g:node("Where", {g:node("IsNaN", {b}), a, both})})
end

local compositions = {
  square = function(g, _, x) return g:node("Mul", {x, x}) end,
  rsqrt = function(g, _, x) return g:node("Reciprocal", {g:node("Sqrt", {x})}) end,
  exp2 = function(g, node, x) return g:node("Pow", {number(g, node, 2.0), x}) end,
  expm1 = function(g, node, x) return g:node("Sub", {g:node("Exp", {x}), number(g, node, 1)}) end,
  log1p = function(g, node, x) return g:node("Log", {g:node("Add", {x, number(g, node, 1)})}) end,
  log2 = function(g, node, x)
    return g:node("Div", {g:node("Log", {x}), number(g, node, math.log(2))})
  end,
  log10 = function(g, node, x)
    return g:node("Div", {g:node("Log", {x}), number(g, node, math.log(10))})
  end,
  erfc = function(g, node, x) return g:node("Sub", {number(g, node, 1), g:node("Erf", {x})}) end,
  not_equal = function(g, _, a, b) return g:node("Not", {g:node("Equal", {a, b})}) end,
  relu = function(g, node, x)
    if dtypes.is_float(node.dtype) then return g:node("Relu", {x}) end
    return g:node("Max", {x, number(g, node, 0)})
  end,
  multiply_add = function(g, _, a, b, c) return g:node("Add", {g:node("Mul", {a, b}), c}) end,
  clip = function(g, _, x, low, high)
    return g:node("Min", {g:node("Max", {x, low}), high})
  end,
  isfinite = function(g, node, x)
    local zero = g:constant(ops.zeros({}, {dtype = node.input_dtypes[1]}), "number")
    return g:node("Equal", {g:node("Sub", {x, x}), zero})
  end,
  gelu_exact = function(g, node, x)
    if g.opset >= 20 then return g:node("Gelu", {x}) end
    local share = g:node("Erf", {g:node("Mul", {x, number(g, node, math.sqrt(0.5))})})
    local half = g:node("Mul", {x, number(g, node, 0.5)})
    return g:node("Mul", {half, g:node("Add", {share, number(g, node, 1)})})
  end,
  hypot = function(g, _, a, b)
    return g:node("Sqrt", {g:node("Add", {g:node("Mul", {a, a}), g:node("Mul", {b, b})})})
  end,
  trunc_to_whole = function(g, _, x)
    return g:node("Mul", {g:node("Sign", {x}), g:node("Floor", {g:node("Abs", {x})})})
  end,
  divide_no_nan = function(g, node, a, b)
    local zero = number(g, node, 0)
    return g:node("Where", {g:node("Equal", {b, zero}), zero, g:node("Div", {a, b})})
  end,
  logaddexp = function(g, node, a, b)
    local low = g:node("Neg", {g:node("Abs", {g:node("Sub", {a, b})})})
    local one = number(g, node, 1)
    return g:node("Add", {g:node("Max", {a, b}),
      g:node("Log", {g:node("Add", {g:node("Exp", {low}), one})})})
  end,
  floor_divide = function(g, node, a, b)
    if dtypes.is_float(node.dtype) then return g:node("Floor", {g:node("Div", {a, b})}) end
    return g:node("Div", {g:node("Sub", {a, g:node("Mod", {a, b})}), b})
  end,
  mod = function(g, node, a, b)
    if not dtypes.is_float(node.dtype) then return g:node("Mod", {a, b}) end
    local whole = g:node("Floor", {g:node("Div", {a, b})})
    return g:node("Sub", {a, g:node("Mul", {whole, b})})
  end,
  fmod = function(g, _, a, b) return g:node("Mod", {a, b}, {fmod = 1}) end,
  arctan2 = function(g, node, y, x)
    local zero, pi = number(g, node, 0), number(g, node, math.pi)
    local angle = g:node("Atan", {g:node("Div", {y, x})})
    local turn = g:node("Where", {g:node("Less", {y, zero}), g:node("Neg", {pi}), pi})
    local left = g:node("Where", {g:node("Less", {x, zero}), g:node("Add", {angle, turn}), angle})
    local upright = g:node("Mul", {g:node("Sign", {y}), number(g, node, math.pi / 2)})
    return g:node("Where", {g:node("Equal", {x, zero}), upright, left})
  end,
  sign_bit = function(g, node, x)
    local zero = g:constant(ops.zeros({}, {dtype = node.input_dtypes[1]}), "number")
    local below = g:node("Less", {x, zero})
    if not dtypes.is_float(node.input_dtypes[1]) then return below end
    return g:node("Or", {below, g:node("Less", {g:node("Reciprocal", {x}), zero})})
  end,
  copysign = function(g, node, x, sign)
    local size, zero = g:node("Abs", {x}), number(g, node, 0)
    local negative = g:node("Or", {g:node("Less", {sign, zero}),
      g:node("Less", {g:node("Reciprocal", {sign}), zero})})
    return g:node("Where", {negative, g:node("Neg", {size}), size})
  end,
  fmax = function(g, _, a, b) return without_nan(g, "Max", a, b) end,
  fmin = function(g, _, a, b) return without_nan(g, "Min", a, b) end,
  cbrt = function(g, node, x)
    local root = g:node("Pow", {g:node("Abs", {x}), number(g, node, 1 / 3)})
    return g:node("Mul", {g:node("Sign", {x}), root})
  end,
}
for name, write in pairs(compositions) do rules[name] = rule(write) end

rules.cast = rule(function(g, node, x) return g:cast(x, node.dtype) end)
rules.contiguous = function(_, _, inputs) return inputs[1] end
rules.copy = rules.contiguous
rules.stop_gradient = rules.contiguous

return rules
