-- Files as Keras 2.0 to 2.3, without TensorFlow's own, wrote them.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local warnings = require "cusp.base.warnings"

local json, layers, models = cusp.json, cusp.layers, cusp.models
local FOLDER = "spec/fixtures/keras2_files/"

local function difference(got, wanted) return (got - cusp.tensor(wanted)):abs():max():item() end

local function load(name, options)
  local model
  local said = warnings.collect(function()
    model = models.load_model(FOLDER .. name .. ".h5", options)
  end)
  return model, said
end

describe("files of Keras 2.0 to 2.3:", function()
  local io = json.decode(mutate.read(FOLDER .. "io.json"))

  for name, case in pairs(io.optimizers) do
    it("training goes on with the state of " .. name, function()
      local model, said = load(name)
      assert.same({}, said)
      for _ = 1, 2 do model:train_on_batch(cusp.tensor(case.x), cusp.tensor(case.y)) end
      for i, weight in ipairs(model:get_weights()) do
        assert.is_true(difference(weight, case.weights[i]) < 2e-6)
      end
    end)
  end

  for _, name in ipairs{"cudnn", "local_1", "local_2", "local_3", "theano"} do
    it("predict the same: " .. name, function()
      local case, model = io[name], load(name)
      local x = cusp.tensor(case.x)
      assert.is_true(difference(model:predict{x, verbose = 0}, case.y) < 5e-5)
      local scope <close> = folder.new()
      for _, ending in ipairs{"h5", "keras"} do
        local path = ("%s/m.%s"):format(scope.path, ending)
        warnings.collect(model.save, model, path)
        local _, again = warnings.collect(models.load_model, path)
        assert.is_true(difference(again:predict{x, verbose = 0}, case.y) < 5e-5)
      end
    end)
  end

  it("NVIDIA's weights go into layers that were made here, and not into a GRU of the other kind",
    function()
    local function make(reset_after)
      return cusp.Sequential{
        cusp.Input{shape = {5, 3}}, layers.LSTM{4, return_sequences = true},
        layers.GRU{3, return_sequences = true, reset_after = reset_after},
        layers.Bidirectional{layers.LSTM{2, return_sequences = true}}, layers.SimpleRNN(3),
      }
    end
    local model = make(true)
    model:load_weights(FOLDER .. "cudnn.h5")
    assert.is_true(difference(model(cusp.tensor(io.cudnn.x)), io.cudnn.y) < 1e-5)
    local other = make(false)
    local before = other.weights[1].value:tobytes()
    local ok, message = pcall(other.load_weights, other, FOLDER .. "cudnn.h5")
    assert.is_false(ok)
    assert.matches("make it with reset_after = true", message)
    assert.equal(before, other.weights[1].value:tobytes())
  end)

  it("byte code is not run: the layer is named, and what to pass", function()
    local ok, message = pcall(load, "lambda")
    assert.is_false(ok)
    assert.matches("Lambda 'twice'", message)
    assert.matches("custom_objects = {twice = function%(x%) ... end}", message)
    local model = load("lambda", {custom_objects = {twice = function(x) return x * 2 end}})
    local x = cusp.ones{1, 3}
    assert.is_true(difference(model(x), (model.layers[1](x) * 2):tolist()) == 0)
  end)

  it("a training configuration that cannot be read says how to go without it", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/m.h5"
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(1)}
    local function strange(y, z) return cusp.ops.mean(cusp.ops.square(y - z)) end
    cusp.utils.register_keras_serializable("spec", "strange")(strange)
    model:compile{loss = strange, optimizer = "sgd"}
    model:save(path)
    local objects = cusp.utils.get_custom_objects()
    for name, object in pairs(objects) do
      if object == strange then objects[name] = nil end
    end
    local ok, message = pcall(models.load_model, path)
    assert.is_false(ok)
    assert.matches("strange", message)
    assert.matches("load_model with compile = false", message)
    assert.is_falsy(models.load_model(path, {compile = false}).compiled)
  end)

  it("models of Keras 1 are named as what they are", function()
    local function of(class_name, config, version)
      config.name, config.batch_input_shape = "x", {cusp.null, 4, 4, 1}
      return select(2, pcall(models.model_from_json, json.encode{
        class_name = "Sequential", keras_version = version,
        config = {{class_name = class_name, config = config}}}))
    end
    assert.matches("Keras 1", of("Convolution2D", {nb_filter = 2, nb_row = 2, nb_col = 2}))
    assert.matches("Keras 1", of("Dense", {output_dim = 2}, "1.2.2"))
    assert.is_nil(of("Dense", {output_dim = 2}, "2.2.4"):find("Keras 1", 1, true))
  end)

  it("the input of a stack has its old name, too", function()
    local model = load "cudnn"
    local x = cusp.tensor(io.cudnn.x)
    assert.is_true(difference(model:predict{{lstm_1_input = x}, verbose = 0}, io.cudnn.y) < 1e-5)
    assert.is_false(pcall(model.predict, model, {{lstm_2_input = x}, verbose = 0}))
  end)
end)
