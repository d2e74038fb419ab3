-- Makes every allocation of the engine fail once, with all that follow: training, predicting,
-- saving and loading must raise an error that mentions memory, leak nothing, and leave a model that
-- works. After the first ones, some are skipped.
local cusp = require "cusp"
local engine = require "cusp.engine"
local warnings = require "cusp.base.warnings"
local Folder = require "spec.support.folder"
local layers = cusp.layers

local every, step = 40, 13

local function settle()
  collectgarbage()
  collectgarbage()
  return engine.memory().live
end

local function new_model()
  local model = cusp.Sequential{
    layers.Input{{6, 6, 1}}, layers.Conv2D{2, 3, activation = "relu"}, layers.BatchNormalization(),
    layers.Flatten(),
    layers.Dropout{0.1}, layers.Dense{2},
  }
  model:compile{optimizer = "adam", loss = "mse", metrics = {"mae"}}
  return model
end

describe("where memory fails", function()
  local x, y, folder, trained

  local function fit(model, options)
    options = options or {}
    options.verbose, options.batch_size = 0, 4
    model:fit(x, y, options)
  end

  setup(function()
    x, y, folder = cusp.random.normal{8, 6, 6, 1}, cusp.zeros{8, 2}, Folder.new()
    trained = new_model()
    fit(trained)
    trained:predict(x, {verbose = 0})
  end)
  teardown(function() getmetatable(folder).__close(folder) end)

  local function works(model)
    fit(model)
    assert.same({8, 2}, model:predict(x, {verbose = 0}).shape)
  end

  -- `prepare()` returns the arguments of `task`; `check`, if given, inspects them afterwards.
  local function sweep(prepare, task, check)
    for _ = 1, 2 do
      local state = prepare()
      task(state)
      if check then check(state) end
    end
    local most, n, ok, message = settle(), 0
    repeat
      local state = {prepare()}
      settle()
      engine.fail_after(n)
      ok, message = pcall(task, state[1])
      engine.fail_after(-1)
      assert.is_true(ok or tostring(message):find("memory", 1, true) ~= nil,
        ("allocation %d: %s"):format(n, tostring(message)))
      if check then check(state[1]) end
      state[1] = nil
      assert.is_true(settle() <= most,
        ("allocation %d: %d bytes are kept"):format(n, engine.memory().live - most))
      n = n + (n < every and 1 or step)
    until ok
    assert.is_true(n > 1, "no allocation failed")
  end

  local function the_trained() return trained end

  it("a first fit fails", function() sweep(new_model, fit, works) end)

  it("a further fit fails", function() sweep(the_trained, fit, works) end)

  it("a first predict fails", function()
    sweep(new_model, function(model) model:predict(x, {verbose = 0}) end, works)
  end)

  it("a fit with a backup fails, and is taken up again", function()
    local path = folder.path .. "/backup"
    local function resumed(model)
      fit(model, {epochs = 2, callbacks = {cusp.callbacks.BackupAndRestore{path}}})
    end
    sweep(function()
      os.execute(("rm -rf '%s'"):format(path))
      return new_model()
    end, resumed, works)
  end)

  for _, name in ipairs{"model.keras", "model.h5"} do
    it("saving and loading " .. name .. " fail", function()
      local path = folder.path .. "/" .. name
      sweep(the_trained, function(model) model:save(path) end, works)
      sweep(function() return {} end, function(found)
        found.model = cusp.models.load_model(path)
        assert(found.model.compiled)
      end)
    end)
  end

  for _, name in ipairs{"some.weights.h5", "checkpoint"} do
    it("saving and loading " .. name .. " fail", function()
      local path = folder.path .. "/" .. name
      sweep(the_trained, function(model) model:save_weights(path) end, works)
      warnings.collect(function() -- of what a checkpoint holds and was not used
        sweep(new_model, function(model) model:load_weights(path) end, works)
        sweep(the_trained, function(model) model:load_weights(path) end, works)
      end)
    end)
  end
end)
