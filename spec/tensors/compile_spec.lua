--- What a compiled function is besides its results, and callables in the place of functions.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local layers = cusp.layers

local function callable(f)
  return setmetatable({}, {__call = function(_, ...) return f(...) end})
end

describe("a compiled function", function()
  local f = cusp.compile(function(x) return (x * x + 1):sum() end)

  it("prints its plans, the one used last first", function()
    assert.matches("^compiled function %(.*compile_spec.lua:%d+%), 0 plans yet", tostring(f))
    f(cusp.ones{2, 3})
    f(cusp.ones{4})
    local text = tostring(f)
    assert.matches("2 plans\nfor %(float32%[4%]%):\n.*for %(float32%[2, 3%]%):\n", text)
    assert.matches("sum", text)
  end)

  it("is seen through by one that calls it", function()
    local scale = 2
    local inner = cusp.compile(function(x) return x * scale end)
    local outer = cusp.compile(function(x) return inner(x) + 1 end)
    assert.equal(3, outer(cusp.tensor(1)):item())
    scale = 5
    assert.equal(6, outer(cusp.tensor(1)):item())
    assert.same({2, 2}, cusp.grad(f)(cusp.ones{2}):tolist())
  end)

  it("names the argument that contains itself", function()
    local cycle = {}
    cycle[1] = cycle
    assert.error_matches(function() f(1, {cycle}) end, "argument 2 of the compiled function")
  end)

  it("maps datasets", function()
    local dataset = cusp.data.Dataset.from_tensor_slices{cusp.ones{4}}
    local mapped = dataset:map(cusp.compile(function(x) return x * 2 end))
    assert.equal(8, mapped:reduce(0, callable(function(sum, x) return sum + x end)):item())
  end)
end)

describe("a callable table", function()
  it("is an activation, a Lambda, a loss, a metric and a hook, and is saved", function()
    local scope <close> = folder.new()
    local path, double = scope.path .. "/m.keras", callable(function(x) return x * 2 end)
    local model = cusp.Sequential{cusp.Input{3}, layers.Dense{2, activation = double},
      layers.Lambda(double)}
    model:save(path)
    local x, epochs = cusp.ones{4, 3}, 0
    assert.same(model(x):tolist(), cusp.models.load_model(path)(x):tolist())
    local error_of = callable(function(a, b) return (a - b):square():mean(-1) end)
    model:compile{optimizer = "sgd", loss = error_of, metrics = {error_of}}
    local hook = callable(function() epochs = epochs + 1 end)
    model:fit{x, cusp.ones{4, 2}, verbose = 0, epochs = 2,
      callbacks = {cusp.callbacks.LambdaCallback{on_epoch_end = hook}}}
    assert.equal(2, epochs)
  end)
end)
