-- fit, evaluate and predict: data in all its forms, callbacks, plain Lua steps, and errors for
-- wrong input.
local cusp = require "cusp"
local engine = require "cusp.engine"
local message_of = require "spec.support.message"
local layers = cusp.layers

local x, y, ids

local function new_model(options)
  local model = cusp.Sequential{
    cusp.Input{shape = {8}}, layers.Dense{16, activation = "relu"}, layers.Dropout{0.3},
    layers.Dense{3, activation = "softmax", name = "out"},
  }
  model:compile(options
    or {optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}})
  return model
end

before_each(function()
  cusp.random.set_seed(1)
  x, y, ids = cusp.random.uniform{100, 8}, cusp.random.uniform{100, 3},
    cusp.random.randint({100}, 0, 3)
end)

describe("fit", function()
  it("gives the same numbers compiled and as plain Lua", function()
    local histories = {}
    for i, eagerly in ipairs{false, true} do
      cusp.random.set_seed(3)
      local model = new_model{optimizer = "adam", loss = "sparse_categorical_crossentropy",
        metrics = {"accuracy"},
        run_eagerly = eagerly}
      histories[i] = model:fit{x, ids, epochs = 3, verbose = 0, batch_size = 30}.history
    end
    for epoch = 1, 3 do
      for _, name in ipairs{"loss", "accuracy"} do
        assert.is_true(math.abs(histories[1][name][epoch] - histories[2][name][epoch]) < 1e-5)
      end
    end
  end)

  it("traces a step once for each size of batch", function()
    local model = new_model()
    for _ = 1, 2 do model:fit{x, ids, verbose = 0, batch_size = 32, shuffle = false} end
    local before = engine.stats().plans_made
    model:fit{x, ids, verbose = 0, batch_size = 32, epochs = 3, shuffle = false}
    assert.are.equal(before, engine.stats().plans_made)
  end)

  it("calls hooks with epochs and batches counted from 1, and sees what they add", function()
    local seen = {}
    local history = new_model():fit{
      x, ids, epochs = 2, verbose = 0, batch_size = 40, validation_split = 0.2,
      callbacks = {
        {
          on_train_begin = function() seen[#seen + 1] = "begin" end,
          on_train_batch_end = function(_, batch, logs)
            seen[#seen + 1] = batch .. type(logs.loss)
          end,
          on_epoch_end = function(self, epoch, logs)
            seen[#seen + 1] = "epoch " .. epoch
            logs.extra = epoch
            assert(self.model and self.params.epochs == 2 and logs.val_loss)
          end,
          on_test_begin = function() seen[#seen + 1] = "test" end,
          on_train_end = function() seen[#seen + 1] = "end" end,
        },
      },
    }
    assert.are.equal("begin 1number 2number test epoch 1 1number 2number test epoch 2 end",
      table.concat(seen, " "))
    assert.are.same({1, 2}, history.history.extra)
    assert.are.same({1, 2}, history.epoch)
  end)

  it("stops when a callback says so", function()
    local history = new_model():fit{
      x, ids, epochs = 9, verbose = 0,
      callbacks = {{on_epoch_end = function(self, epoch)
        self.model.stop_training = epoch == 2
      end}},
    }
    assert.are.equal(2, #history.history.loss)
  end)

  it("takes batches from a function", function()
    local calls = 0
    local function batches()
      calls = calls + 1
      if calls % 4 == 0 then return nil end
      return x:slice{{1, 20}}, ids:slice{{1, 20}}
    end
    local history = new_model():fit{batches, epochs = 2, verbose = 0}
    assert.are.equal(2, #history.history.loss)
    assert.are.equal(8, calls)
    local function endless() return {x:slice{{1, 20}}, ids:slice{{1, 20}}} end
    history = new_model():fit{endless, epochs = 4, steps_per_epoch = 2, verbose = 0,
      validation_data = {x, ids}, validation_freq = 2}
    assert.are.equal(2, #history.history.val_loss)
  end)

  it("takes nested tables of numbers", function()
    local model = cusp.Sequential{layers.Dense{1}}
    model:compile{optimizer = "sgd", loss = "mse"}
    local history = model:fit{{{1, 2}, {3, 4}}, {1, 2}, verbose = 0}
    assert.are.equal(1, #history.history.loss)
  end)

  it("counts epochs from initial_epoch, goes on through the data with steps_per_epoch", function()
    local history = new_model():fit{x, ids, initial_epoch = 2, epochs = 5, steps_per_epoch = 2,
      batch_size = 30, verbose = 0}
    assert.are.same({3, 4, 5}, history.epoch)
  end)

  it("warns once where the loss becomes nan", function()
    local warnings, told = require "cusp.base.warnings", {}
    local own = warnings.warn
    warnings.warn = function(format, ...) told[#told + 1] = format:format(...) end
    local model = cusp.Sequential{cusp.Input{shape = {1}}, layers.Dense(1)}
    model:compile{optimizer = "sgd", loss = "mse"}
    local history = model:fit{cusp.tensor{{0 / 0}, {1.0}}, cusp.ones{2, 1}, epochs = 3, verbose = 0}
    warnings.warn = own
    assert.is_true(history.history.loss[3] ~= history.history.loss[3])
    assert.equal(1, #told)
    assert.matches("the loss is nan since epoch 1", told[1], 1, true)
  end)

  it("lets a step of the user's update all metrics and report them, as in Keras's guide", function()
    local Own = cusp.Model:extend "Own"
    function Own:init(args)
      cusp.Model.init(self, args)
      self.dense, self.noted = cusp.layers.Dense(3), cusp.metrics.Mean{name = "noted"}
    end
    function Own:call(inputs) return self.dense(inputs) end
    function Own:train_step(batch)
      local inputs, targets = table.unpack(batch)
      local y_pred, results = self(inputs), {}
      for _, metric in ipairs(self.metrics) do
        if metric.name == "loss" then metric:update_state(0.5)
        elseif metric.name == "noted" then metric:update_state(2)
        else metric:update_state(targets, y_pred) end
        results[metric.name] = metric:result()
      end
      return results
    end
    local model = Own{}
    model:compile{optimizer = "sgd", loss = "mse", metrics = {"mae", "mse"}}
    local given, wanted = cusp.random.normal{8, 2}, cusp.random.normal{8, 3}
    local history = model:fit{given, wanted, epochs = 2, verbose = 0}.history
    local mae = cusp.ops.mean(cusp.ops.abs(wanted - model(given))):item()
    assert.is_true(math.abs(mae - history.mae[2]) < 1e-5)
    assert.same({0.5, 0.5}, history.loss)
    assert.same({2, 2}, history.noted)
    assert.is_nil(history.compile_metrics)
    assert.equal(2, #model.metrics[2].metrics)
    assert.equal(4, #model.metrics[2].variables)
    model:reset_metrics()
    assert.equal(0, model.metrics[2]:result().mae:item())
  end)

  it("runs a user-defined train_step compiled, and reports what it returns", function()
    local traced = 0
    local Own = cusp.Model:extend "OwnStep"
    function Own:init(args)
      cusp.Model.init(self, args)
      self.dense = layers.Dense{3}
    end
    function Own:call(inputs) return self.dense(inputs) end
    function Own:train_step(batch)
      traced = traced + 1
      local tape <close> = cusp.GradientTape()
      local loss = cusp.losses.mse(batch[2], self(batch[1], {training = true})):mean()
      self.optimizer:apply(tape:gradient(loss, self.trainable_variables), self.trainable_variables)
      return {mine = loss * 2}
    end
    local model = Own{}
    model:compile{optimizer = "sgd"}
    local history = model:fit{x, y, epochs = 3, batch_size = 25, verbose = 0}
    assert.are.equal(1, traced)
    assert.are.equal(3, #history.history.mine)
    assert.is_true(history.history.mine[3] < history.history.mine[1])
  end)

  it("shows a loss that is not a number", function()
    local model = cusp.Sequential{layers.Dense{1}}
    model:compile{optimizer = "sgd", loss = "mse"}
    local history = model:fit{cusp.zeros{4, 1} / 0, cusp.ones{4, 1}, verbose = 0}
    assert.is_true(history.history.loss[1] ~= history.history.loss[1])
  end)
end)

describe("evaluate, predict and single batches", function()
  it("evaluate gives numbers in order, or by name", function()
    local model = new_model()
    local loss, accuracy = model:evaluate{x, ids, verbose = 0}
    local logs = model:evaluate{x, ids, verbose = 0, return_dict = true}
    assert.are.equal(loss, logs.loss)
    assert.are.equal(accuracy, logs.accuracy)
  end)

  it("predict gives what calling gives, whatever the batches", function()
    local model = new_model()
    local whole = model(x):flat()
    for _, size in ipairs{7, 50, 100, 1000} do
      local got = model:predict{x, batch_size = size, verbose = 0}
      assert.are.same({100, 3}, got.shape)
      for i, value in ipairs(got:flat()) do assert.is_true(math.abs(value - whole[i]) < 1e-6) end
    end
  end)

  it("train_on_batch lowers the loss", function()
    local model = new_model{optimizer = "adam", loss = "sparse_categorical_crossentropy"}
    local first = model:test_on_batch(x, ids)
    for _ = 1, 60 do model:train_on_batch(x, ids) end
    assert.is_true((model:test_on_batch(x, ids)) < first)
    assert.are.same({100, 3}, model:predict_on_batch(x).shape)
  end)
end)

describe("wrong input", function()
  local function refuses(what, f, ...)
    local wanted = {...}
    it(what, function()
      local message = message_of(f)
      for _, part in ipairs(wanted) do
        assert.is_truthy(message:find(part, 1, true), ("%q is not in: %s"):format(part, message))
      end
      assert.is_truthy(message:find("fit_spec.lua", 1, true), "not at the user's line: " .. message)
    end)
  end

  for method, rest in pairs{train_on_batch = {}, test_on_batch = {}, predict_on_batch = {},
    predict = {{verbose = 0}}} do
    refuses("a closed tensor, by " .. method, function()
      local model = new_model()
      local closed
      do
        local open <close> = x + 0
        closed = open
      end
      model[method](model, closed, method:find "^t" and ids or table.unpack(rest))
    end, method, "x is a tensor that has been closed")
  end

  for i, eagerly in ipairs{false, true} do
    refuses("a predict_step that returns no tensors, " .. i, function()
      local Counting = cusp.Model:extend "Counting"
      function Counting.predict_step() return 3 end
      local model = Counting()
      model.run_eagerly = eagerly
      model:predict{x, verbose = 0}
    end, "predict_step: it should return tensors, got number 3")
  end

  refuses("fit before compile", function()
    cusp.Sequential{layers.Dense(1)}:fit{x, y}
  end, "fit", "compiled")
  refuses("an unknown loss", function()
    new_model{loss = "sparse_categorical_crossentrop"}
  end, "sparse_categorical_crossentropy'?")
  refuses("an unknown metric", function()
    new_model{loss = "mse", metrics = {"acuracy"}}
  end, "acuracy", "ccuracy'?")
  refuses("an unknown optimizer", function()
    new_model{optimizer = "adan", loss = "mse"}
  end, "adan", "Adam")
  refuses("other numbers of samples", function()
    new_model():fit{x, ids:slice{{1, 50}}}
  end, "x has 100 samples", "y has 50")
  refuses("labels out of range", function()
    new_model():fit{x, ids + 1, verbose = 0}
  end, "label 3", "3 classes", "0 to 2")
  refuses("no samples", function()
    new_model():fit{cusp.zeros{0, 8}, cusp.zeros{0, 3}}
  end, "empty", "[0, 8]")
  refuses("a batch size of 0", function()
    new_model():fit{x, ids, batch_size = 0}
  end, "batch_size", "positive integer")
  refuses("a split of everything", function()
    new_model():fit{x, ids, validation_split = 1}
  end, "validation_split", "below 1")
  refuses("a misspelt argument", function()
    new_model():fit{x, ids, epoch = 3}
  end, "'epoch'", "'epochs'")
  refuses("one-hot targets for class ids", function()
    new_model():fit{x, y, verbose = 0}
  end, "[32, 3]", "categorical_crossentropy")
  refuses("class ids for one-hot targets", function()
    new_model{loss = "categorical_crossentropy"}:fit{x, ids, verbose = 0}
  end,
    "sparse_categorical_crossentropy")
  refuses("a dot for a colon", function() new_model().fit(x, ids) end, "fit: write it with a colon")
  refuses("a dot for a colon, with a table", function()
    new_model().compile{optimizer = "sgd"}
  end, "model:compile(...)")
  refuses("targets of another shape", function()
    new_model{loss = "mse"}:fit{x, cusp.zeros{100, 7}, verbose = 0}
  end,
    "mean_squared_error: targets of shape [32, 7] do not fit predictions of shape [32, 3]")
  refuses("no targets", function() new_model():fit{x, verbose = 0} end, "y is missing", "'out'")
  refuses("inputs of another shape", function()
    new_model():fit{cusp.zeros{100, 7}, ids, verbose = 0}
  end, "[None, 8]", "[32, 7]")
  refuses("another verbosity", function() new_model():fit{x, ids, verbose = 5} end, "verbose", "5")
  refuses("a hook that is none", function()
    new_model():fit{x, ids, callbacks = {{on_epoch_ent = print}}}
  end, "on_epoch_ent",
    "on_epoch_end")
  refuses("weights that do not fit", function()
    new_model():fit{x, ids, sample_weight = cusp.ones{100, 3}, verbose = 0}
  end,
    "sample_weight")

  it("leaves the model usable", function()
    local model = new_model()
    pcall(model.fit, model, {x, ids + 1, verbose = 0})
    assert.are.equal(1, #model:fit({x, ids, verbose = 0}).history.loss)
  end)

  it("an interrupt passes through fit after whole steps", function()
    local model = new_model()
    local message = message_of(function()
      model:fit{x, ids, epochs = 1000, verbose = 0, callbacks = {{on_epoch_end = function(_, epoch)
        if epoch == 3 then engine.interrupt() end
      end}}}
    end)
    assert.is_truthy(message:find "interrupted!")
    engine.take_interrupt()
    assert.are.equal(1, #model:fit({x, ids, verbose = 0}).history.loss)
  end)
end)
