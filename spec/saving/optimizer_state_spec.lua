-- Names of optimizers' variables in each generation of files.
local cusp = require "cusp"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local deferred = require "cusp.base.deferred"

local function built(optimizer)
  local kernel = cusp.Variable(cusp.ones{2, 3}, {name = "kernel"})
  local bias = cusp.Variable(cusp.ones{3}, {name = "bias"})
  optimizer:ensure_built{kernel, bias}
  return optimizer
end

local function names(optimizer, key)
  local result = {}
  for i, slot in ipairs(optimizer_state.slots(built(optimizer))) do
    result[i] = slot[key] .. "/" .. slot.of.name
  end
  return table.concat(result, " ")
end

local function scalars(optimizer, key)
  local result = {}
  for _, entry in ipairs(optimizer_state.scalars(built(optimizer))) do
    result[#result + 1] = entry[key]
  end
  return table.concat(result, " ")
end

local function numbered(optimizer, list)
  local found = assert(optimizer_state.match(optimizer, list))
  local places = {}
  for i, variable in ipairs(optimizer.variables) do places[variable] = i end
  local result = {}
  for i, variable in ipairs(found) do result[i] = variable and places[variable] or 0 end
  return table.concat(result, " ")
end

describe("state of optimizers", function()
  local O = cusp.optimizers

  it("has slots with their names in each format", function()
    assert.are.equal("momentum/kernel velocity/kernel momentum/bias velocity/bias",
      names(O.Adam(), "keras3"))
    assert.are.equal("m/kernel v/kernel m/bias v/bias", names(O.Adam(), "tf2"))
    assert.are.equal("m/kernel v/kernel m/bias v/bias", names(O.AdamW(), "tf2"))
    assert.are.equal("m/kernel v/kernel m/bias v/bias vhat/kernel vhat/bias",
      names(O.Adam{amsgrad = true}, "legacy"))
    assert.are.equal("m/kernel u/kernel m/bias u/bias", names(O.Adamax(), "tf2"))
    assert.are.equal("m/kernel v/kernel m/bias v/bias", names(O.Adamax(), "legacy"))
    assert.are.equal("rms/kernel rms/bias momentum/kernel momentum/bias mg/kernel mg/bias",
      names(O.RMSprop{momentum = 0.5, centered = true}, "legacy"))
    assert.are.equal("accum_grad/kernel accum_var/kernel accum_grad/bias accum_var/bias",
      names(O.Adadelta(), "legacy"))
    assert.are.equal("accumulator/kernel linear/kernel accumulator/bias linear/bias",
      names(O.Ftrl(), "legacy"))
    assert.are.equal("m/kernel m/bias", names(O.SGD{momentum = 0.9}, "tf2"))
    assert.are.equal("momentum/kernel momentum/bias", names(O.SGD{momentum = 0.9}, "legacy"))
    assert.are.equal("r/kernel c/kernel v/kernel v/bias", names(O.Adafactor(), "tf2"))
    assert.are.equal("", names(O.SGD(), "tf2"))
  end)

  it("has scalars, of a schedule no learning rate", function()
    assert.are.equal("iteration learning_rate", scalars(O.Adam(), "keras3"))
    assert.are.equal("iteration",
      scalars(O.Adam(O.schedules.ExponentialDecay(0.1, 3, 0.9)), "keras3"))
    assert.are.equal("iter momentum_cache", scalars(O.Nadam(), "legacy"))
    assert.are.equal("iteration learning_rate step_counter dynamic_scale iteration learning_rate",
      scalars(O.LossScaleOptimizer{O.Adam()}, "keras3"))
  end)

  it("is matched by the order of Keras 3", function()
    local adam = built(O.Adam())
    assert.are.equal("1 2 3 4 5 6",
      numbered(adam, {"adam/iteration", "adam/learning_rate", "a", "b", "c", "d"}))
    local nadam = built(O.Nadam())
    assert.are.equal("1 2 3 4 5 6",
      numbered(nadam, {"nadam/iteration", "nadam/learning_rate", "a", "b", "c", "d"}))
    assert.is_nil((optimizer_state.match(adam, {"adam/iteration", "adam/learning_rate"})))
  end)

  it("is matched by the slots of tf.keras 2.15 and of the legacy optimizers, in either order",
    function()
    local adam = built(O.Adam())
    assert.are.equal("1 3 4 5 6", numbered(adam, {
      "iteration:0", "Adam/m/a/kernel:0", "Adam/v/a/kernel:0", "Adam/m/a/bias:0", "Adam/v/a/bias:0",
    }))
    assert.are.equal("1 3 5 4 6", numbered(adam, {
      "Adam/iter:0", "Adam/a/kernel/m:0", "Adam/a/bias/m:0", "Adam/a/kernel/v:0", "Adam/a/bias/v:0",
    }))
    assert.are.equal("1 0 0",
      numbered(built(O.SGD()), {"iteration:0", "SGD/m/a/kernel:0", "SGD/m/a/bias:0"}))
    assert.are.equal("1 7 3 5 4 6", numbered(built(O.Nadam()), {
      "Nadam/iter:0", "Nadam/momentum_cache:0", "Nadam/a/kernel/m:0", "Nadam/a/bias/m:0",
      "Nadam/a/kernel/v:0", "Nadam/a/bias/v:0",
    }))
  end)

  it("that does not fit is refused with the reason", function()
    local adam = built(O.Adam())
    local found, reason = optimizer_state.match(adam, {"iteration:0", "Adam/m/a/kernel:0"})
    assert.is_nil(found)
    assert.is_truthy(reason:find "there are %d of [mv]")
    found, reason = optimizer_state.match(built(O.SGD()),
      {"iteration:0", "Adam/m/a/kernel:0", "Adam/v/a/kernel:0"})
    assert.is_nil(found)
    assert.is_truthy(reason:find "no counterpart")
  end)

  it("computes Nadam's momentum product where a file has none", function()
    local nadam = built(O.Nadam())
    nadam.__own.iterations:assign(3)
    optimizer_state.complete(nadam, {})
    local wanted = 1
    for step = 1, 3 do wanted = wanted * 0.9 * (1 - 0.5 * 0.96 ^ step) end
    assert.is_true(math.abs(nadam.variables[7].value:item() - wanted) < 1e-6)
    nadam.__own.iterations:assign(2000000000)
    optimizer_state.complete(nadam, {})
    assert.are.equal(0.0, nadam.variables[7].value:item())
  end)
end)

describe("what waits for something to be built", function()
  it("runs at once, or after the first build of all parts, in order", function()
    local order, model = {}, cusp.Sequential{cusp.layers.Dense(2), cusp.layers.LSTM(3)}
    assert.is_false(deferred.when_built(model, function() order[#order + 1] = 1 end))
    assert.is_false(deferred.when_built(model, function(built_model)
      order[#order + 1] = #built_model.weights
    end))
    model:build{cusp.None, 4, 5}
    assert.are.same({1, 5}, order)
    assert.is_true(deferred.when_built(model, function() order[#order + 1] = 9 end))
    assert.are.equal(9, order[3])
  end)

  it("runs before the first call of a user-defined model computes anything", function()
    local Mine = cusp.Model:extend("DeferredMine", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.a, self.b = cusp.layers.Dense(2), cusp.layers.Dense(2)
      end,
      call = function(self, x) return self.b(self.a(x)) end,
    })
    for _, use in ipairs{
      function(model, x) return model(x) end,
      function(model, x) return model:predict{x, verbose = 0} end,
      function(model, x)
        model:build{cusp.None, 3}
        return model(x)
      end,
    } do
      local model = Mine()
      deferred.when_built(model, function()
        for _, variable in ipairs(model.weights) do
          variable:assign(cusp.ops.ones_like(variable))
        end
      end)
      assert.are.equal(9.0, use(model, cusp.ones{1, 3}):flat()[1])
    end
  end)
end)
