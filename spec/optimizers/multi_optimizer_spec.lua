-- Several optimizers by the paths of variables.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local waves = require "spec.support.waves"

local optimizers = cusp.optimizers

describe("MultiOptimizer", function()
  local x, y = waves.cosines{4, 3}, cusp.ops.reshape(cusp.ops.sin(cusp.arange(4.0)), {4, 1})

  local function trained(optimizer, epochs)
    local model = cusp.Sequential({cusp.Input{shape = {3}}, cusp.layers.Dense{2, name = "a"},
      cusp.layers.Dense{1, name = "b"}}, {name = "s"})
    waves.fill(model.weights)
    model:compile{optimizer = optimizer, loss = "mse"}
    model:fit{x, y, epochs = epochs, batch_size = 4, verbose = 0, shuffle = false}
    return model
  end

  local function map(key)
    local by_path = optimizers.OptimizerMap(optimizers.SGD(0.1))
    by_path[key] = optimizers.Adam(0.05)
    return by_path
  end

  it("trains each variable with its own", function()
    local model = trained(optimizers.MultiOptimizer(map "s/a/.*"), 3)
    waves.compare({-0.12752896547317505, 0.7737539410591125, 0.7831205725669861,
      0.06990645080804825, -0.6266414523124695, -0.8980273604393005}, model.weights[1])
    waves.compare({0.6398045420646667, -0.2581748366355896}, model.weights[3])
    assert.are.equal(3, model.optimizer.iterations:item())
    assert.error_matches(function() return model.optimizer.learning_rate end,
      "has no learning rate")
  end)

  it("leaves what no whole path matches to the default one", function()
    local model = trained(optimizers.MultiOptimizer(map "a/.*"), 3)
    waves.compare({0.6682305335998535, -0.2284592092037201}, model.weights[3])
    waves.compare({0.769695520401001, 0.8831268548965454}, model.weights[2])
  end)

  it("takes a function of the variable", function()
    local adam, sgd = optimizers.Adam(0.05), optimizers.SGD(0.1)
    local model = trained(optimizers.MultiOptimizer(function(variable)
      return variable.path:find "s/a/" and adam or sgd
    end), 3)
    local other = trained(optimizers.MultiOptimizer(map "s/a/.*"), 3)
    for i, weight in ipairs(model.weights) do
      waves.compare(other.weights[i].value:flat(), weight, 1e-7)
    end
  end)

  it("goes on from a file as if it had not stopped", function()
    do
      local place <close> = folder.new()
      local model = trained(optimizers.MultiOptimizer(map "s/a/.*"), 2)
      model:save(place.path .. "/m.keras")
      local loaded = cusp.models.load_model(place.path .. "/m.keras")
      assert.are.equal("Adam", loaded.optimizer.optimizers[1].__name)
      for _, one in ipairs{model, loaded} do
        one:fit{x, y, epochs = 2, batch_size = 4, verbose = 0, shuffle = false}
      end
      for i, weight in ipairs(model.weights) do
        waves.compare(weight.value:flat(), loaded.weights[i], 1e-7)
      end
    end
  end)

  it("refuses keys that are there, that overlap, and that are no patterns here", function()
    local by_path = map "a/.*"
    assert.error_matches(function() by_path["a/.*"] = optimizers.SGD() end, "already")
    assert.error_matches(function() by_path["b"] = 3 end, "expected an optimizer for \"b\"")
    assert.error_matches(function() by_path["(a|b)"] = optimizers.SGD() end, "groups")
    by_path[".*/kernel"] = optimizers.SGD()
    assert.error_matches(function() by_path:get "a/kernel" end, "both match the path \"a/kernel\"")
    by_path["my-net/.*"] = optimizers.Lion()
    assert.are.equal("Lion", by_path:get("my-net/x").__name)
    assert.are.equal(3, #by_path)
  end)
end)
