-- Targets, losses, weights, metrics and inputs as single things, lists and tables by name, against
-- Keras 3.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local several = {list = true, dict = true, renamed = true}
local rows = ops.reshape(ops.cast(ops.arange(4), "float32"), {4, 1})
local ones, twos = cusp.ones{4, 1}, 2 * cusp.ones{4, 1}
local targets = {rows, rows * 10 + 5}
local weights = {cusp.tensor{1.0, 0, 1, 0}, cusp.tensor{0.0, 3, 0, 1}}

local function model_of(kind)
  local a, b = cusp.Input{shape = {1}, name = "zin"}, cusp.Input{shape = {1}, name = "ain"}
  local zeta = layers.Dense{1, kernel_initializer = "ones", name = "zeta"}(a)
  local alpha = layers.Dense{1, kernel_initializer = cusp.initializers.Constant(3.0),
    name = "alpha"}(b)
  local outputs = {
    list = {zeta, alpha}, dict = {zeta = zeta, alpha = alpha}, renamed = {u = alpha, v = zeta},
    single = zeta, ["list of one"] = {zeta}, ["dict of one"] = {zeta = zeta},
    ["renamed one"] = {u = zeta},
  }
  return cusp.Model{inputs = several[kind] and {a, b} or a, outputs = outputs[kind]}
end

local function forms(kind, z, a)
  if several[kind] then
    return {list = {z, a}, names = {zeta = z, alpha = a}, keys = {v = z, u = a},
      wrong = {zeta = z, beta = a},
      partial = {zeta = z}, one = {z}, bare = z, three = {z, a, z}}
  end
  return {bare = z, list = {z}, names = {zeta = z}, keys = {u = z}, two = {z, z},
    wrong = {beta = z}}
end

local function run(kind, y, loss, loss_weights, metrics, weighted, sample_weight)
  local model, given = model_of(kind),
    {optimizer = cusp.optimizers.SGD(0.0), loss = forms(kind, "mse", "mae")[loss]}
  given.loss_weights = forms(kind, 2.0, 3.0)[loss_weights]
  local lists = forms(kind, {"mae"}, {"mse"})
  lists.flat, lists.flat1, lists.flat3 = {"mae", "mse"}, {"mae"}, {"mae", "mse", "mape"}
  given[weighted and "weighted_metrics" or "metrics"] = lists[metrics]
  model:compile(given)
  return model:test_on_batch{several[kind] and {ones, twos} or ones,
    forms(kind, table.unpack(targets))[y],
    sample_weight = forms(kind, table.unpack(weights))[sample_weight], return_dict = true}
end

local function same(expected, got)
  for name, value in pairs(expected) do
    if not got[name] or math.abs(got[name] - value) > 1e-4 * math.max(1, math.abs(value)) then
      return false
    end
  end
  for name in pairs(got) do
    if expected[name] == nil then return false end
  end
  return true
end

-- Unknown output names, and sample weights that cannot be assigned to outputs or that omit one.
local function must_fail(kind, y, loss, sample_weight)
  local unknown = {wrong = true, keys = not kind:find "renamed", names = kind:find "renamed" ~= nil}
  return unknown[y] or unknown[loss] or unknown[sample_weight] or sample_weight == "partial"
    or sample_weight == "list" and (kind == "dict" or kind == "renamed")
end

describe("targets, losses, weights and metrics", function()
  it("belong to the outputs that Keras gives them to", function()
    local equal, refused = 0, 0
    for _, case in ipairs(cases.read "training/structures.json.gz") do
      local kind, y, loss, loss_weights, metrics, weighted, sample_weight,
        expected = table.unpack(case, 1, 8)
      local ok, got = pcall(run, kind, y, loss, loss_weights, metrics, weighted, sample_weight)
      local what = table.concat({kind, y, loss, loss_weights, metrics, tostring(weighted),
        sample_weight}, ", ")
      if cases.is_null(expected) then
        if must_fail(kind, y, loss, sample_weight) then assert.is_false(ok, what) end
        refused = refused + (ok and 0 or 1)
      -- Keras sorts these weights by name
      elseif ok and not (kind == "list" and loss == "list" and loss_weights == "names") then
        assert.is_true(same(expected, got), what)
        equal = equal + 1
      end
    end
    assert.is_true(equal >= 340 and refused >= 720, ("%d equal, %d refused"):format(equal, refused))
  end)

  it("may be explicitly nothing for an output", function()
    local model = model_of "list"
    model:compile{optimizer = "sgd", loss = "mse"}
    local all = model:test_on_batch{{ones, twos}, targets,
      sample_weight = {zeta = weights[1], alpha = cusp.ones{4}}}
    assert.are.equal(all, (model:test_on_batch{{ones, twos}, targets,
      sample_weight = {zeta = weights[1], alpha = cusp.null}}))
  end)

  it("keep the order of a long list of metrics", function()
    local model = model_of "single"
    local list = {}
    for i = 1, 12 do list[i] = cusp.metrics.MeanSquaredError{name = "m" .. i} end
    model:compile{optimizer = "sgd", loss = "mse", metrics = list}
    model:test_on_batch(ones, targets[1])
    for i = 1, 12 do assert.are.equal("m" .. i, model.metrics_names[i + 1]) end
  end)
end)

describe("inputs", function()
  local function make(form)
    local p, q = cusp.Input{shape = {1}, name = "zin"}, cusp.Input{shape = {1}, name = "ain"}
    local inputs = {list = {p, q}, dict = {zin = p, ain = q}, nested = {{zin = p, ain = q}},
      pair = {{b = p, a = q}, p}}
    return cusp.Model{inputs = inputs[form], outputs = p * 10 + q}
  end
  local named = {zin = ones, ain = twos}

  for _, form in ipairs{"list", "dict", "nested"} do
    it("are taken by name: " .. form, function()
      local given = form == "nested" and {named} or named
      assert.are.equal(12, make(form)(given):flat()[1])
      assert.are.equal(12, make(form):predict({given, verbose = 0}):flat()[1])
    end)
  end

  it("that have names are not taken from a list", function()
    for form, given in pairs{dict = {ones, twos}, nested = {{ones, twos}}} do
      local model = make(form)
      model:compile{optimizer = "sgd", loss = "mse"}
      for _, f in ipairs{
        function() return model(given) end,
        function() return model:predict{given, verbose = 0} end,
        function() return model:predict_on_batch{given} end,
        function() return model:fit{given, targets[1], verbose = 0} end,
        function() return model:evaluate{given, targets[1], verbose = 0} end,
      } do
        local ok, message = pcall(f)
        assert.is_false(ok)
        assert(message:find(
          "the inputs have names: expected a table with ain, zin, got a list of 2", 1, true),
          message)
      end
    end
    assert.is_false(pcall(make "dict", ones))
    assert.is_false(pcall(make "dict", {zin = ones}))
    assert.is_false(pcall(make "list", {zin = ones, b = twos}))
  end)

  it("of one name may come alone", function()
    local p = cusp.Input{shape = {1}, name = "only"}
    local model = cusp.Model{inputs = {only = p}, outputs = p * 10}
    for _, given in ipairs{ones, {ones}, {only = ones}} do
      assert.are.equal(10, model(given):flat()[1])
    end
  end)
end)
