--- Arguments for calls: the named values of a script, each created on first use, and unusual
-- literals.
-- @module call_values
local values = {}

--- Name → Lua text of its value. `cusp`, `layers` and `ops` exist in every script.
values.named = {
  x = "cusp.ones{2, 3}", e = "cusp.zeros{0, 3}", s = "cusp.tensor(3.0)", i = "cusp.tensor{0, 1}",
  b = "cusp.tensor{true, false}", h = 'cusp.ones({2, 3}, "float16")',
    u = 'cusp.tensor({{1, 255, 3}}, {dtype = "uint8"})',
  p = "cusp.ones{1, 4, 4, 3}", q = "cusp.ones{2, 3, 4}", z = 'cusp.tensor{0 / 0, 1 / 0, -1 / 0}',
  v = "cusp.Variable(cusp.ones{2, 3})", k = "cusp.Input{3}", N = "cusp.null", None = "cusp.None",
  cycle = "(function() local t = {} t[1], t.a = t, t return t end)()",
  configuration =
  '(function() local t = {class_name = "Dense"} t.config = {units = t} return t end)()',
  f = "function(...) return ... end", g = "function() return nil end",
  coroutine_of = "coroutine.create(function() end)",
  dense = "layers.Dense(2)", model = "cusp.Sequential{cusp.Input{3}, layers.Dense(2)}",
  trained = "(function() local m = cusp.Sequential{cusp.Input{3}, layers.Dense(2)} "
    .. 'm:compile{optimizer = "sgd", loss = "mse"} return m end)()',
  functional =
  "(function() local a = cusp.Input{3} return cusp.Model{a, layers.Dense(2)(a)} end)()",
  optimizer = "cusp.optimizers.SGD(0.1)", metric = "cusp.metrics.Mean()",
    loss = "cusp.losses.MeanSquaredError()",
  initializer = "cusp.initializers.GlorotUniform()", regularizer = "cusp.regularizers.L2()",
  dataset = "cusp.data.Dataset.from_tensor_slices(cusp.ones{4, 3})",
    generator = "cusp.random.SeedGenerator(1)",
  schedule = "cusp.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)",
    callback = "cusp.callbacks.EarlyStopping()",
  tape = "cusp.GradientTape{persistent = true}", class = "layers.Dense",
  unbuilt = 'cusp.Sequential{layers.Dense(2)}',
  frozen = "(function() local m = cusp.Sequential{cusp.Input{3}, layers.Dense(2)} "
    .. 'm:compile{optimizer = "sgd", loss = "mse"} m.trainable = false return m end)()',
  failed = "(function() local m = cusp.Sequential{layers.Dense(2)} "
    .. 'm:compile{optimizer = "adam", loss = "mse"} pcall(m.fit, m, cusp.ones{4, 3}, cusp.ones{5, '
      .. '2}) '
    .. "pcall(m.build, m, {1}) return m end)()",
  rebuilt =
  "(function() local l = layers.Dense(2) l:build{3, 3} pcall(l.build, l, {3, 4}) return l end)()",
  closed_tape = "(function() local t = cusp.GradientTape() t:close() return t end)()",
  exhausted =
  "(function() local d = cusp.data.Dataset.range(3) for _ in d:iterate() do end return d end)()",
  used = "(function() local o = cusp.optimizers.Adam() o:build{cusp.Variable(cusp.ones{2})} "
    .. "return o end)()",
  cell = "layers.GRUCell(3)", spec = "cusp.data.TensorSpec{2, 3}",
}

--- Names in a fixed order.
values.names = {}
for name in pairs(values.named) do values.names[#values.names + 1] = name end
table.sort(values.names)

values.tensors = {"x", "e", "s", "i", "b", "h", "u", "p", "q", "z", "v", "k"}

values.literals = {
  "nil", "N", "true", "false", "0", "1", "2", "3", "-1", "-2", "0.5", "1.5", "-0.5", "1e10",
    "2^31|0", "2^40|0", "2^53|0", "math.maxinteger",
  "math.mininteger", "1e300", "1e-300", "math.huge", "-math.huge", "0/0", '""', '"a"', '"relu"',
    '"float32"', '"bool"', '"string"', '"same"',
  '"mean"', '"%s"', '"\\0"', '"a/b"', '("x"):rep(1000)', "{}", "{1}", "{0}", "{-1}", "{2, 3}",
    "{1, 2, 3}", "{0, 3}", "{2^31|0, 2^31|0}", "{1.5}",
  "{{1, 2}, {3, 4}}", "{{1}, {2, 3}}", "{{}}", '{"a"}', '{"a", "b"}', "{x}", "{x, x}", "{x, 1}",
    "{N}", "{None, 3}", "{true}", "{1, nil, 3}",
  "{f}", "{{x}}", "{a = x}", "{a = 1}", "{class_name = 1}", '{class_name = "Dense"}',
    '{class_name = "Dense", config = {}}',
  '{class_name = "a", config = 1}', "{{1, 2}}", "{dense}", "{dense, dense}", "{model}", "io.stdout",
    "print", "math", "setmetatable({}, {})",
}

--- Name → value, created on demand.
function values.environment()
  local cusp = require "cusp"
  local environment
  local made = {cusp = cusp, layers = cusp.layers, ops = cusp.ops}
  environment = setmetatable({}, {__index = function(_, name)
    if made[name] == nil and values.named[name] then
      made[name] = assert(load("return " .. values.named[name], "=values", "t", environment))()
    end
    if made[name] ~= nil then return made[name] end
    return _G[name]
  end})
  return environment
end

--- A standalone script that makes the call.
-- @tparam string expression
function values.script(expression)
  local lines = {'local cusp = require "cusp"', "local layers, ops = cusp.layers, cusp.ops"}
  local seen = {}
  local function define(text)
    for name in text:gmatch "[%a_][%w_]*" do
      if values.named[name] and not seen[name] then
        seen[name] = true
        define(values.named[name])
        lines[#lines + 1] = ("local %s = %s"):format(name, values.named[name])
      end
    end
  end
  define(expression:gsub('"[^"]*"', '""'):gsub("[.:][%a_][%w_]*", ""))
  lines[#lines + 1] = ("print(%s)"):format(expression)
  return table.concat(lines, "\n")
end

return values
