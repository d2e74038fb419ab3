--- Elementwise operations in C, by the names of their rows.
-- @module cusp.export_c.expressions
local text = require "cusp.export_c.text"

local expressions = {}

-- In the bodies, T is the type, and F ends the names of functions of the type in <math.h>.
local helpers = {
  relu = {"x", "return x < 0 ? 0 : x;"},
  sigmoid = {"x", "return 1 / (1 + expF(-x));"},
  softplus = {"x", "return x > 0 ? x + log1pF(expF(-x)) : log1pF(expF(x));"},
  gelu_exact = {"x", "return x * erfcF(x * (T)-0.7071067811865476) / 2;"},
  square = {"x", "return (T)(x * x);"},
  sign = {"x", "return (T)((x > 0) - (x < 0));",
    real = "return x != x ? x : (T)((x > 0) - (x < 0));"},
  absolute = {"x", "return x < 0 ? (T)-x : x;", real = "return fabsF(x);"},
  maximum = {"a, T b", "return a > b ? a : b;", real = "return a > b || a != a ? a : b;"},
  minimum = {"a, T b", "return a < b ? a : b;", real = "return a < b || a != a ? a : b;"},
  clip = {"x, T low, T high", "T y = x < low ? low : x;\n  return y > high ? high : y;"},
  floor_divide = {"a, T b",
    "T q = b == 0 ? 0 : (T)(a / b);\n  return b != 0 && q * b != a && (a < 0) != (b < 0) ? q - 1 "
      .. ": q;",
    real = "T r = fmodF(a, b);\n  return rintF((a - (r != 0 && (r < 0) != (b < 0) ? r + b : r)) "
      .. "/ b);"},
  mod = {"a, T b",
    "T r = b == 0 ? 0 : (T)(a % b);\n  return r != 0 && (r < 0) != (b < 0) ? (T)(r + b) : r;",
    real = "T r = fmodF(a, b);\n  return r != 0 && (r < 0) != (b < 0) ? r + b : r;"},
  power = {"a, T b", "T y = 1;\n  for (; b > 0; b--)\n    y = (T)(y * a);\n  return y;",
    real = "return powF(a, b);"},
  logaddexp = {"a, T b",
    "T d = a > b ? a - b : b - a;\n  return a == b ? a + (T)0.6931471805599453 : "
      .. "(a > b ? a : b) + log1pF(expF(-d));"},
}

-- Functions of <math.h>.
local functions = {
  exp = "exp", exp2 = "exp2", expm1 = "expm1", log = "log", log2 = "log2", log10 = "log10",
  log1p = "log1p", sin = "sin", cos = "cos", tan = "tan", arcsin = "asin", arccos = "acos",
  arctan = "atan", sinh = "sinh", cosh = "cosh", tanh = "tanh", arcsinh = "asinh",
  arccosh = "acosh", arctanh = "atanh", cbrt = "cbrt", erf = "erf", erfc = "erfc",
  lgamma = "lgamma", sqrt = "sqrt", ceil = "ceil", floor = "floor", round_to_whole = "rint",
  trunc_to_whole = "trunc", arctan2 = "atan2", hypot = "hypot", fmod = "fmod", fmax = "fmax",
  fmin = "fmin", nextafter = "nextafter", copysign = "copysign",
}

-- Patterns, with the arguments in the place of numbers.
local patterns = {
  add = "$1 + $2", subtract = "$1 - $2", multiply = "$1 * $2", divide = "$1 / $2",
  negative = "-$1", reciprocal = "1 / $1", equal = "$1 == $2", not_equal = "$1 != $2",
  less = "$1 < $2", less_equal = "$1 <= $2", greater = "$1 > $2", greater_equal = "$1 >= $2",
  logical_and = "$1 && $2", logical_or = "$1 || $2", logical_xor = "$1 != $2",
  logical_not = "!$1", bitwise_and = "$1 & $2", bitwise_or = "$1 | $2", bitwise_xor = "$1 ^ $2",
  bitwise_not = "~$1", left_shift = "$1 << $2", right_shift = "$1 >> $2",
  multiply_add = "$1 * $2 + $3", select_where = "$1 ? $2 : $3", where = "$1 ? $2 : $3",
  copy = "$1", stop_gradient = "$1",
  isnan = "isnan($1) != 0", isinf = "isinf($1) != 0", isfinite = "isfinite($1) != 0",
  signbit = "signbit($1) != 0",
}

local same = {abs = "absolute", fabs = "absolute", true_divide = "divide"}

-- Types that C computes with as int.
local narrow = {int8 = true, int16 = true, uint8 = true, uint16 = true}

local function is_float(dtype) return dtype == "float32" or dtype == "float64" end

local function suffix(dtype) return dtype == "float32" and "f" or "" end

local function is_atom(code)
  return code:find "^[%w_.]+$" or code:find "^[%w_]+%b[]$" or code:find "^[%w_]*%b()$"
end

--- An expression that may stand beside any operator.
function expressions.atom(code) return is_atom(code) and code or "(" .. code .. ")" end

local function fill(pattern, arguments)
  return (pattern:gsub("(.?)%$(%d)(.?)", function(before, number, after)
    local argument = arguments[tonumber(number)]
    if before ~= "(" or after ~= ")" then argument = expressions.atom(argument) end
    return before .. argument .. after
  end))
end

--- A small function for a type, which the program then has.
-- @tparam table program
-- @tparam string name
-- @tparam string dtype
-- @treturn string its name in C
function expressions.helper(program, name, dtype)
  local full = dtype == "float32" and name or name .. "_" .. dtype
  if not program.helpers[full] then
    local helper = helpers[name]
    local code = is_float(dtype) and helper.real or helper[2]
    local function typed(part)
      return (part:gsub("%f[%w_]T%f[^%w_]", text.type(dtype))
        :gsub("(%l[%l%d]*)F%(", "%1" .. suffix(dtype) .. "("))
    end
    program.helpers[full] = ("static %s %s_%s(%s %s)\n{\n  %s\n}\n"):format(
      text.type(dtype), program.prefix, full, text.type(dtype), typed(helper[1]),
      typed(code))
    table.insert(program.helper_order, full)
  end
  return program.prefix .. "_" .. full
end

local function cast(arguments, from, to)
  if to == "bool" then return expressions.atom(arguments[1]) .. " != 0" end
  if from == to then return arguments[1] end
  return ("(%s)%s"):format(text.type(to), expressions.atom(arguments[1]))
end

local function call(name, arguments) return name .. "(" .. table.concat(arguments, ", ") .. ")" end

-- The operation in its own type, before C's promotion of narrow types is undone.
local function plain_code(program, name, arguments, dtype)
  if name == "rsqrt" then return "1 / sqrt" .. suffix(dtype) .. "(" .. arguments[1] .. ")" end
  if helpers[name] then return call(expressions.helper(program, name, dtype), arguments) end
  if functions[name] then
    if not is_float(dtype) then return arguments[1] end
    return call(functions[name] .. suffix(dtype), arguments)
  end
  return patterns[name] and fill(patterns[name], arguments)
end

--- The expression of an operation.
-- @tparam table program
-- @tparam table op
-- @tparam {string,...} arguments in C
-- @tparam string from dtype of the (last) argument
-- @tparam string to dtype of the result
-- @treturn ?string nil for an operation that is not known here
function expressions.of(program, op, arguments, from, to)
  local name = same[op.name] or op.name
  if name == "cast" then return cast(arguments, from, to) end
  local code = plain_code(program, name, arguments, from)
  if code and narrow[to] and not helpers[name] then
    code = ("(%s)%s"):format(text.type(to), expressions.atom(code))
  end
  return code
end

return expressions
