-- Names and defaults whose meaning changed between Keras 3 and the generation that wrote a file.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local warnings = require "cusp.base.warnings"

local json, layers, models = cusp.json, cusp.layers, cusp.models
local fixtures = "spec/fixtures/generations/"

local function close(got, wanted, what, tolerance)
  assert.equal(#wanted, #got, what)
  for i, value in ipairs(got) do
    if math.abs(value - wanted[i]) > (tolerance or 1e-5) then
      error(("%s: %d: %s, expected %s"):format(what, i, value, wanted[i]))
    end
  end
end

local function legacy(x) return math.min(1, math.max(0, 0.2 * x + 0.5)) end

local function activation_model(version, extra)
  local config = {class_name = "Sequential", keras_version = version,
    config = {name = "s", layers = {
    {class_name = "Activation",
      config = {name = "a", activation = "hard_sigmoid", batch_input_shape = {cusp.null, 2}}},
      extra,
  }}}
  return models.model_from_json(json.encode(config))
end

describe("files of Keras 2:", function()
  local io = json.decode(mutate.read(fixtures .. "io.json"))

  it("hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in every layer, and stays so in every format",
    function()
    local case = io.hard_sigmoids
    local x = cusp.tensor(case.x, {shape = case.shape})
    local path <close> = folder.new()
    local from_json = models.model_from_json(mutate.read(fixtures .. "hard_sigmoids.json"))
    for _, ending in ipairs{"h5", "keras"} do
      local model = models.load_model(fixtures .. "hard_sigmoids." .. ending)
      close(model:predict({x, verbose = 0}):flat(), case.y, ending)
      from_json:set_weights(model:get_weights())
      close(from_json:predict({x, verbose = 0}):flat(), case.y, "json")
      for _, other in ipairs{"h5", "keras"} do
        local file = ("%s/%s.%s"):format(path.path, ending, other)
        model:save(file)
        close(models.load_model(file):predict({x, verbose = 0}):flat(), case.y, file)
      end
      for _, format in ipairs{"tf2", "keras3"} do
        local again = models.model_from_json(model:to_json{format = format})
        again:set_weights(model:get_weights())
        close(again:predict({x, verbose = 0}):flat(), case.y, format)
      end
      assert.equal("hard_sigmoid",
        json.decode(model:to_json()).config.layers[#model.layers].config.activation)
    end
  end)

  it("the version decides", function()
    local x = cusp.tensor{{1.0, -2.0}}
    for version, wanted in pairs{
      ["2.2.4"] = {legacy(1), legacy(-2)}, ["2.2.4-tf"] = {legacy(1), legacy(-2)},
      ["2.15.0"] = {legacy(1), legacy(-2)},
      ["3.15.1"] = {4 / 6, 1 / 6},
    } do
      close(activation_model(version)(x):flat(), wanted, version)
    end
    close(layers.Activation "hard_sigmoid" (x):flat(), {4 / 6, 1 / 6}, "made here")
    local written = {class_name = "function", config = "hard_sigmoid", module = "builtins",
      registered_name = "hard_sigmoid"}
    local extra = {class_name = "Dense",
      config = {units = 1, activation = written, kernel_initializer = "ones", name = "d"}}
    close(activation_model("2.15.0", extra)(x):flat(), {legacy(legacy(1) + legacy(-2))},
      "in a function's form")
  end)

  it("what a file does not say is as it was", function()
    local function first(version, class_name, config)
      config.name = "x"
      return models.model_from_json(json.encode{class_name = "Sequential", keras_version = version,
        config = {name = "s", layers = {
        {class_name = class_name, config = config}}}}).layers[1]
    end
    local x = cusp.tensor{1.0}
    for _, class_name in ipairs{"LSTM", "GRU"} do
      close(first("2.2.4", class_name, {units = 1}).recurrent_activation(x):flat(), {0.7},
        class_name)
      close(first("2.3.1", class_name, {units = 1}).recurrent_activation(x):flat(), {0.7310586},
        class_name)
    end
    close(first("2.15.0", "ConvLSTM2D",
      {filters = 1, kernel_size = 2}).recurrent_activation(x):flat(), {0.7}, "ConvLSTM2D")
    assert.is_false(first("2.2.4", "GRU", {units = 1}).reset_after)
    for _, version in ipairs{"1.2.2", "2.3.1", "2.1.6-tf"} do
      assert.is_false(first(version, "GRU", {units = 1}).reset_after)
    end
    for _, version in ipairs{"2.2.4-tf", "2.4.0", "2.15.0", "3.15.1"} do
      assert.is_true(first(version, "GRU", {units = 1}).reset_after)
      close(first(version, "LSTM", {units = 1}).recurrent_activation(x):flat(), {0.7310586},
        version)
    end
    close(first("2.1.6-tf", "LSTM", {units = 1}).recurrent_activation(x):flat(), {0.7},
      "TensorFlow 1")
    local ok, message = pcall(first, "2.15.0", "LSTM", {units = 1, time_major = true})
    assert.is_false(ok)
    assert.matches("time_major = true is not supported", message)
  end)

  it("Keras 3's hard_sigmoid in TensorFlow's form says which it is", function()
    local path <close> = folder.new()
    local x = cusp.tensor{{1.0, -2.0}}
    local model = cusp.Sequential{cusp.Input{shape = {2}}, layers.Activation "hard_sigmoid"}
    assert.matches("TensorFlow 2 would compute clip",
      warnings.collect(model.save, model, path.path .. "/m.h5")[1])
    close(models.load_model(path.path .. "/m.h5")(x):flat(), {4 / 6, 1 / 6}, "h5")
    local _, text = warnings.collect(model.to_json, model)
    close(models.model_from_json(text)(x):flat(), {4 / 6, 1 / 6}, "json")
    model:add(layers.Activation "keras2_hard_sigmoid")
    local ok, message = pcall(model.save, model, path.path .. "/m.h5")
    assert.is_false(ok)
    assert.matches("cannot hold both", message)
    model:save(path.path .. "/m.keras")
    close(models.load_model(path.path .. "/m.keras")(x):flat(), model(x):flat(), "keras")
  end)

  it("losses and metrics of older names are found", function()
    local model = cusp.Sequential{cusp.Input{shape = {2}}, layers.Dense(2)}
    require("cusp.saving.configuration").compile(model, {
      optimizer_config = {class_name = "Adagrad",
        config = {lr = 0.5, decay = 0.0, epsilon = cusp.null}}, loss = "cosine_proximity",
      metrics = {"kullback_leibler_divergence"},
    })
    assert.equal(cusp.losses.cosine_similarity, cusp.losses.get(model.loss))
    assert.equal(0.5, model.optimizer.learning_rate:item())
    assert.equal(0.0, model.optimizer.initial_accumulator_value)
    assert.is_true(model.optimizer.epsilon_beside_root)
    model:train_on_batch(cusp.ones{3, 2}, cusp.ones{3, 2})
  end)

  it("optimizers go on as they did", function()
    local path <close> = folder.new()
    for name, case in pairs(io.optimizers) do
      local model = models.load_model(("%s%s.h5"):format(fixtures, name))
      for _ = 1, 2 do model:train_on_batch(cusp.tensor(case.x), cusp.tensor(case.y)) end
      for i, weights in ipairs(model:get_weights()) do
        close(weights:flat(), case.weights[i], name .. " " .. i, 2e-5)
      end
      local lines = warnings.collect(model.save, model, path.path .. "/m.keras")
      local again = models.load_model(path.path .. "/m.keras")
      for _, one in ipairs{model, again} do
        one:train_on_batch(cusp.tensor(case.x), cusp.tensor(case.y))
      end
      for i, weights in ipairs(again:get_weights()) do
        assert.equal(model:get_weights()[i]:tobytes(), weights:tobytes(), name)
      end
      local is_lost = name == "nadam" or name == "adagrad" or name == "rmsprop"
        or name == "rmsprop_centered"
      assert.equal(is_lost and true or false,
        (lines[1] or ""):find("from a file of Keras 2", 1, true) ~= nil, name)
    end
  end)
end)
