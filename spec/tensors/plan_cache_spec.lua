local cusp = require "cusp"
local engine = require "cusp.engine"
local warnings = require "cusp.base.warnings"
local layers = cusp.layers

local function live()
  collectgarbage()
  collectgarbage()
  return engine.memory().live
end

-- Its plans need megabytes of working memory, but hold little themselves.
local function wide_function()
  return cusp.compile(function(x) return (x:matmul(x) + x):matmul(x):sum() end)
end

describe("plans", function()
  it("share the memory in which they compute", function()
    local x = cusp.ones{1024, 1024}
    local functions = {wide_function()}
    functions[1](x):item()
    local before = live()
    for i = 2, 6 do
      functions[i] = wide_function()
      functions[i](x):item()
    end
    assert.is_true(live() - before < 1e6)
  end)

  it("give it back when they are gone", function()
    local before = live()
    do
      local f = wide_function()
      f(cusp.ones{1024, 1024}):item()
      assert.is_true(live() - before > 4e6)
    end
    assert.is_true(live() - before < 1e6)
  end)

  it("compute right when one runs between two runs of another", function()
    local double, wide = cusp.compile(function(x) return x * 2 + x:sum() end), wide_function()
    for i = 1, 3 do
      assert.same({2 * i + 4 * i, 2 * i + 4 * i, 2 * i + 4 * i, 2 * i + 4 * i},
        double(cusp.full({4}, i)):tolist())
      wide(cusp.ones{128, 128}):item()
    end
  end)

  it("of ever new lengths are bounded, and gone with their model", function()
    local list
    local before = live()
    do
      local model = cusp.Sequential{layers.Input{{cusp.None, 8}}, layers.LSTM{8}, layers.Dense{1}}
      model:compile{optimizer = "adam", loss = "mse"}
      list = warnings.collect(function()
        for length = 1, 300 do model:predict_on_batch(cusp.ones{64, length, 8}) end
        for length = 1, 40 do model:train_on_batch(cusp.ones{2, length, 8}, cusp.zeros{2, 1}) end
      end)
      assert.is_true(live() - before < 80e6)
      model:predict_on_batch(cusp.ones{64, 1, 8})
    end
    assert.is_true(live() - before < 1e6)
    local text = table.concat(list, "\n")
    assert.matches(
      "predict_step of the model 'sequential[_%d]*': x keeps changing %(float32%[64, 1, 8%], "
      .. ".*%): 32 plans", text)
    assert.matches("train_step of .*: x keeps changing", text)
    assert.equal(2, select(2, text:gsub("keeps changing", "")))
  end)

  it("of ever new numbers are told of once, by the argument's place", function()
    local f = cusp.compile(function(x, options) return x * options.rate end)
    local list = warnings.collect(function()
      for i = 1, 100 do f(cusp.ones{2}, {rate = i}) end
    end)
    assert.equal(1, #list)
    assert.matches("compiled function: argument 2 keeps changing %({rate=1}, {rate=2}, {rate=3}",
      list[1])
  end)

  it("that are used stay, whatever comes between", function()
    local f = cusp.compile(function(x, k) return x * k end)
    local x = cusp.ones{2}
    warnings.collect(function()
      f(x, 0):tolist()
      for i = 1, 1100 do
        f(x, i):tolist()
        f(x, 0):tolist()
      end
    end)
    local made = engine.stats().plans_made
    f(x, 0):tolist()
    assert.equal(made, engine.stats().plans_made)
    f(x, 1):tolist()
    assert.equal(made + 1, engine.stats().plans_made)
  end)

  it("of eager values are bounded", function()
    for i = 1, 600 do local _ = (cusp.ones{i} * 2):sum():item() end
    local before = live()
    for i = 601, 1500 do local _ = (cusp.ones{i} * 2):sum():item() end
    assert.is_true(live() - before < 1e6)
  end)
end)
