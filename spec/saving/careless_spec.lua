-- Common mistakes when saving and loading models: functions without a name, changed names, files
-- that change.
local cusp = require "cusp"
local engine = require "cusp.engine"
local folder = require "spec.support.folder"
local warnings = require "cusp.base.warnings"
local layers, models = cusp.layers, cusp.models

local x, y = cusp.ones{4, 3}, cusp.ones{4, 1}

local function predictions(model) return model:predict({x, verbose = 0}):tolist() end

local function stack(...)
  return cusp.Sequential{cusp.Input{shape = {3}}, ...}
end

describe("functions without a name", function()
  it("made at the same place are told apart", function()
    local scope <close> = folder.new()
    local scaled = {}
    for i = 1, 3 do
      scaled[i] = layers.Dense{3, activation = function(values) return values * i + 1 end}
    end
    local lambdas = {layers.Lambda(function(v)
      return v * 2
    end), layers.Lambda(function(v) return v ^ 2 end)}
    for _, model in ipairs{stack(table.unpack(scaled)), stack(table.unpack(lambdas))} do
      for _, name in ipairs{"a.keras", "a.h5"} do
        local path = scope.path .. "/" .. name
        model:save(path)
        local _, again = warnings.collect(models.load_model, path)
        assert.are.same(predictions(model), predictions(again))
      end
    end
  end)

  it("as the loss: a .keras archive is written without what compile was given, and a warning says "
    .. "so, once", function()
    local scope <close> = folder.new()
    local model = stack(layers.Dense(1))
    model:compile{loss = function(y_true, y_pred)
      return cusp.ops.mean((y_true - y_pred) ^ 2, {axis = -1})
    end}
    local function save() model:save(scope.path .. "/a.keras") end
    assert.matches("loss is a function without a name", warnings.collect(save)[1])
    assert.are.same({}, (warnings.collect(save)))
  end)

  it("as the learning rate are found again in the same program", function()
    local scope <close> = folder.new()
    local model = stack(layers.Dense(1))
    model:compile{optimizer = cusp.optimizers.SGD(function() return 0.25 end), loss = "mse"}
    for _, name in ipairs{"a.keras", "a.h5"} do
      model:save(scope.path .. "/" .. name)
      assert.are.equal(0.25, models.load_model(scope.path .. "/" .. name).optimizer.learning_rate)
    end
  end)
end)

describe("user-defined classes without get_config", function()
  local function extended(base, name)
    return base:extend(name, {init = function(self, args)
      self.factor = args.factor or 1
      base.init(self, args)
    end})
  end

  it("get back the plain arguments that they were made with", function()
    local kinds = {
      losses = "Loss", metrics = "Metric", initializers = "Initializer",
      regularizers = "Regularizer", constraints = "Constraint",
      optimizers = "SGD",
    }
    for namespace, base in pairs(kinds) do
      local module = cusp[namespace]
      local object = extended(module[base], "Careless" .. base){factor = 3}
      local text = cusp.json.encode(module.serialize(object))
      assert.are.equal(3, module.deserialize(cusp.json.decode(text)).factor, text)
    end
  end)

  it("do so in whole models", function()
    local scope <close> = folder.new()
    local Scaled = extended(cusp.losses.Loss, "CarelessScaled")
    function Scaled:call(y_true, y_pred)
      return cusp.ops.mean(cusp.ops.abs(y_true - y_pred), -1) * self.factor
    end
    local model = stack(layers.Dense(1))
    model:compile{loss = Scaled{factor = 5}}
    local loss = model:evaluate{x, y, verbose = 0}
    for _, name in ipairs{"a.keras", "a.h5"} do
      model:save(scope.path .. "/" .. name)
      assert.are.equal(loss,
        (models.load_model(scope.path .. "/" .. name):evaluate{x, y, verbose = 0}))
    end
  end)
end)

describe("other names", function()
  it("save_model, save_weights and load_weights take the model first", function()
    local scope <close> = folder.new()
    local model, other = stack(layers.Dense(2)), stack(layers.Dense(2))
    models.save_model(model, scope.path .. "/a.keras")
    cusp.saving.save_model{model, scope.path .. "/b.keras", overwrite = true}
    assert.are.same(predictions(model), predictions(models.load_model(scope.path .. "/b.keras")))
    cusp.saving.save_weights{model = model, filepath = scope.path .. "/a.weights.h5"}
    cusp.saving.load_weights(other, scope.path .. "/a.weights.h5", {skip_mismatch = true})
    assert.are.same(predictions(model), predictions(other))
    assert.has_error(function() models.save_model(scope.path .. "/a.keras", model) end)
  end)

  it("optimizer.lr is the learning rate", function()
    local optimizer = cusp.optimizers.Adam(0.5)
    optimizer.lr = 0.25
    assert.are.equal(0.25, optimizer.learning_rate:item())
    assert.are.equal(0.25, optimizer.lr:item())
  end)

  it("the name of a checkpoint, given to load_model, is answered with what to do", function()
    local scope <close> = folder.new()
    stack(layers.Dense(2)):save_weights(scope.path .. "/weights")
    local ok, message = pcall(models.load_model, scope.path .. "/weights")
    assert.is_false(ok)
    assert.matches(
      "checkpoint '.*/weights.index', which holds weights: make the model and call load_weights",
      message)
  end)
end)

describe("calls as in Python", function()
  it("from_config with a dot is answered with how it is called", function()
    local model = stack(layers.Dense(2))
    for _, class in ipairs{cusp.Sequential, cusp.Model, layers.Dense, cusp.optimizers.Adam} do
      local ok, message = pcall(class.from_config, model:get_config())
      assert.is_false(ok)
      assert.matches("Class:from_config%(config%), with a colon", message)
    end
  end)

  it("custom objects may stand second, and the file of a checkpoint is told from its name",
    function()
    local scope <close> = folder.new()
    local Twice = layers.Layer:extend "CarelessTwice"
    function Twice:call(inputs) return inputs * 2 end
    local model = stack(Twice())
    model:save(scope.path .. "/a.keras")
    assert.are.same(predictions(model),
      predictions(models.load_model(scope.path .. "/a.keras", {CarelessTwice = Twice})))

    local other = stack(layers.Dense(2))
    other:save_weights(scope.path .. "/weights")
    for _, ending in ipairs{".index", ".data-00000-of-00001"} do
      local ok, message = pcall(other.load_weights, other, scope.path .. "/weights" .. ending)
      assert.is_false(ok)
      assert.matches("named without the ending: load_weights \"[^\"]*/weights\"", message)
    end
  end)
end)

describe("further optimizers of a model", function()
  local Pair = cusp.Model:extend "CarelessPair"
  function Pair:init(args)
    cusp.Model.init(self, args)
    self.first, self.second = layers.Dense(3), layers.Dense(1)
  end
  function Pair:call(inputs) return self.second(self.first(inputs)) end
  function Pair:compile()
    cusp.Model.compile(self, {loss = "mse"})
    self.own = cusp.optimizers.Adam(0.1)
  end
  function Pair:train_step(data)
    local tape <close> = cusp.GradientTape()
    local loss = cusp.ops.mean(self(data[1]) ^ 2)
    self.own:apply(tape:gradient(loss, self.first.trainable_weights), self.first.trainable_weights)
    return {loss = loss}
  end

  local function pair()
    local model = Pair()
    model:compile()
    return model
  end

  it("get their state when they are first used", function()
    local scope <close> = folder.new()
    local model = pair()
    model:fit{x, y, epochs = 3, verbose = 0}
    model:save(scope.path .. "/a.keras")
    model:save_weights(scope.path .. "/a.weights.h5")
    model:fit{x, y, verbose = 0}
    for _, name in ipairs{"a.keras", "a.weights.h5"} do
      local again = pair()
      again:load_weights(scope.path .. "/" .. name)
      assert.are.same({}, (warnings.collect(again.fit, again, {x, y, verbose = 0})))
      assert.are.equal(4, again.own.iterations:item())
      assert.are.same(predictions(model), predictions(again))
    end
  end)
end)

describe("models within models, forty deep", function()
  it("are saved and loaded in a moment", function()
    local scope <close> = folder.new()
    local model = stack(layers.Dense(3))
    for _ = 1, 40 do model = stack(model, layers.Dense(3)) end
    model:save(scope.path .. "/a.h5")
    model:save_weights(scope.path .. "/weights")
    local _, again = warnings.collect(models.load_model, scope.path .. "/a.h5")
    assert.are.same(predictions(model), predictions(again))
    again:load_weights(scope.path .. "/weights"):assert_consumed()
  end)
end)

describe("a checkpoint", function()
  it("that is replaced while it is read is read anew", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/weights"
    local first, second, reader = stack(layers.Dense(2)), stack(layers.Dense(2)),
      stack(layers.Dense(2))
    first:save_weights(path)
    local open, opened = engine.files.open, 0
    engine.files.open = function(name)
      if name:find "data%-" and opened == 0 then
        opened = 1
        os.execute "sleep 0.02" -- times of files have steps
        second:save_weights(path)
      end
      return open(name)
    end
    local ok, message = pcall(reader.load_weights, reader, path)
    engine.files.open = open
    assert.is_true(ok, message)
    assert.are.same(predictions(second), predictions(reader))
  end)
end)

describe("CSVLogger", function()
  it("writes a tensor among the logs as its number", function()
    local scope <close> = folder.new()
    local model = stack(layers.Dense(1))
    model:compile{optimizer = "sgd", loss = "mse"}
    model:fit{x, y, verbose = 0, callbacks = {
      {on_epoch_end = function(_, _, logs)
        logs.extra, logs.pair = cusp.tensor(1.5), cusp.tensor{1, 2}
      end},
      cusp.callbacks.CSVLogger(scope.path .. "/log.csv"),
    }}
    local file <close> = assert(io.open(scope.path .. "/log.csv"))
    assert.matches('\n0,1%.5,[^,]+,"%[1, 2%]",', file:read "a")
  end)
end)

describe("wrappers within wrappers", function()
  it("are written once each", function()
    local layer, n = cusp.layers.Dense(2), 24
    for _ = 1, n do layer = cusp.layers.SpectralNormalization(layer) end
    local text = cusp.Sequential{cusp.Input{2}, layer}:to_json()
    assert.equal(n, select(2, text:gsub('"SpectralNormalization"', "")))
    assert.same(layer:get_config(),
      cusp.layers.SpectralNormalization:from_config(layer:get_config()):get_config())
  end)
end)
