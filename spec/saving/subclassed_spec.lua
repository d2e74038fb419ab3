-- Keras 3's files of models that are classes, and this library's own.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local subclassed = require "spec.support.subclassed_models"

local FOLDER = "spec/fixtures/subclassed/"

local function difference(model, wanted)
  local got = model:predict{subclassed.inputs(), verbose = 0}
  return (got - cusp.tensor(wanted)):abs():max():item()
end

local function change(model)
  for i, variable in ipairs(model.weights) do
    variable:assign(cusp.random.normal(variable.shape, {seed = i}))
  end
  return model
end

describe("models that are classes:", function()
  local io = cusp.json.decode(mutate.read(FOLDER .. "io.json"))

  for _, name in ipairs{"plain", "lists", "nested", "graph"} do
    it("Keras 3's weights of " .. name, function()
      local model = subclassed.make(name)
      model:load_weights(FOLDER .. name .. ".weights.h5")
      assert.is_true(difference(model, io[name].y) < 1e-5)
    end)

    it("Keras 3's archive of " .. name .. ", with the optimizer's state", function()
      local model = cusp.models.load_model(FOLDER .. name .. ".keras")
      assert.is_true(difference(model, io[name].y) < 1e-5)
      local x = subclassed.inputs()
      model:fit{x, cusp.zeros(model(x).shape), verbose = 0}
      assert.is_true(difference(model, io[name].next) < 1e-4)
    end)

    it("there and back: " .. name, function()
      local model, scope <close> = change(subclassed.make(name)), folder.new()
      local wanted = model:predict{subclassed.inputs(), verbose = 0}:tolist()
      model:save_weights(scope.path .. "/m.weights.h5")
      local other = subclassed.make(name)
      other:load_weights(scope.path .. "/m.weights.h5")
      assert.equal(0, difference(other, wanted))
      model:save(scope.path .. "/m.keras")
      assert.equal(0, difference(cusp.models.load_model(scope.path .. "/m.keras"), wanted))
    end)
  end

  it("finds by key what is in a table by name, whatever was made first", function()
    local function named(first, second)
      local Heads = cusp.Model:extend "Heads"
      function Heads:init(args)
        cusp.Model.init(self, args)
        self.heads, self.tails = {}, {}
        for _, key in ipairs{first, second} do
          self.heads[key] = cusp.layers.Dense(3)
          self.tails[key] = cusp.layers.Dense(3)
        end
      end
      function Heads:call(x)
        return self.tails.a(self.heads.a(x)) - self.tails.b(self.heads.b(x))
      end
      local model = Heads()
      model(subclassed.inputs())
      return model
    end
    local model, other, scope <close> = change(named("a", "b")), named("b", "a"), folder.new()
    model:save_weights(scope.path .. "/m.weights.h5")
    other:load_weights(scope.path .. "/m.weights.h5")
    assert.equal(0, difference(other, model:predict{subclassed.inputs(), verbose = 0}:tolist()))
  end)
end)

describe("models whose class has a compile of its own", function()
  local warnings = require "cusp.base.warnings"
  local function own_class(name)
    local Own = cusp.Model:extend(name)
    function Own:init(args)
      cusp.Model.init(self, args)
      self.dense = cusp.layers.Dense(1)
    end
    function Own:call(x) return self.dense(x) end
    function Own:compile(args)
      cusp.Model.compile(self, {optimizer = args.mine, loss = args.my_loss})
      self.other = args.other
    end
    return Own
  end

  local function saved(Own, path)
    local model = Own{}
    model:compile{mine = cusp.optimizers.Adam(0.5), my_loss = "mae", other = "sgd"}
    model:fit{cusp.ones{4, 2}, cusp.ones{4, 1}, verbose = 0}
    model:save(path)
    return model
  end

  it("are compiled by compile_from_config", function()
    local scope <close> = folder.new()
    local Own = own_class "CompilesFromConfig"
    function Own:get_compile_config()
      return {mine = cusp.optimizers.serialize(self.optimizer), my_loss = self.loss,
        other = self.other}
    end
    function Own:compile_from_config(config)
      self:compile{mine = cusp.optimizers.deserialize(config.mine), my_loss = config.my_loss,
        other = config.other}
    end
    saved(Own, scope.path .. "/m.keras")
    local loaded = cusp.models.load_model(scope.path .. "/m.keras")
    assert.equal("sgd", loaded.other)
    assert.equal("mae", loaded.loss)
    assert.equal(1, loaded.optimizer.iterations:item())
    assert.equal(0.5, loaded.optimizer.learning_rate:item())
  end)

  it("are not compiled without it, as in Keras", function()
    local scope <close> = folder.new()
    saved(own_class "CompilesItself", scope.path .. "/m.keras")
    local loaded
    local told = warnings.collect(function()
      loaded = cusp.models.load_model(scope.path .. "/m.keras")
    end)
    assert.matches("not compiled: its class has a compile of its own", told[1])
    assert.is_falsy(loaded.compiled)
  end)
end)
