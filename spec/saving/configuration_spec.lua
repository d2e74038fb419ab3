local configuration = require "cusp.saving.configuration"
local cusp = require "cusp"
local golden_models = require "spec.support.golden_models"
local mutate = require "spec.support.mutate"

local layers, models, json = cusp.layers, cusp.models, cusp.json
local fixtures = "spec/fixtures/config/"

local function files(pattern)
  local list = {}
  for _, file in ipairs(golden_models.files(fixtures, pattern)) do list[#list + 1] = file.path end
  return list
end

local function read(path) return mutate.read(fixtures .. path) end

local function model_of(path, custom)
  return (path:find "%.yaml$" and models.model_from_yaml or models.model_from_json)(read(path),
    custom)
end

--- The first place where two decoded documents differ; nil if there is none.
local function difference(a, b, path)
  if type(a) ~= "table" or type(b) ~= "table" or a == cusp.null or b == cusp.null then
    return a ~= b and ("%s: %s and %s"):format(path, json.encode(a), json.encode(b)) or nil
  end
  for _, pair in ipairs{{a, b}, {b, a}} do
    for key, value in pairs(pair[1]) do
      if pair[2][key] == nil then return ("%s.%s is in one only"):format(path, key) end
      local found = difference(value, pair[2][key], path .. "." .. key)
      if found then return found end
    end
  end
end

describe("configurations:", function()
  local custom = golden_models.custom_objects()

  describe("TF 2.0's form", function()
    it("is the tutorial's text, character for character", function()
      local x = cusp.Input{shape = {72}, name = "input_2"}
      local h = layers.Dense{32, activation = "relu", name = "dense_5"} (x)
      h = layers.Dense{16, activation = "relu", name = "dense_6"} (h)
      local model = cusp.Model{inputs = x,
        outputs = layers.Dense{10, activation = "softmax", name = "dense_7"} (h), name = "model_1"}
      local text = read "tutorial_functional_tf20.json"
      assert.equal(text, model:to_json())
      assert.equal(text, models.model_from_json(text):to_json())
      assert.equal(text, model_of("tutorial_functional_tf20.yaml"):to_json())
      assert.equal(text, models.model_from_yaml(model:to_yaml()):to_json())
    end)

    it("is what TF 2.0 would have written for every transcribed model", function()
      -- The transcriptions contain what TF 2.0 did not have yet.
      local function older(value)
        if type(value) ~= "table" or value == cusp.null then return value end
        for key, item in pairs(value) do value[key] = older(item) end
        if value.keepdims == false then value.keepdims = nil end
        if value.layers and value.input_layers then value.trainable = nil end
        if value.class_name == "L1" or value.class_name == "L2" then
          value.class_name, value.config = "L1L2",
            {l1 = value.config.l1 or 0.0, l2 = value.config.l2 or 0.0}
        end
        return value
      end
      for _, path in ipairs(files "^tf20/.*%.json$") do
        local found = difference(json.decode(model_of(path):to_json()),
          older(json.decode(read(path))), path)
        assert(not found, found)
      end
    end)

    it("writes YAML in PyYAML's block style, tuples marked", function()
      local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dropout{0.5, name = "drop"},
        name = "yes"}
      assert.equal([[
backend: tensorflow
class_name: Sequential
config:
  layers:
  - class_name: Dropout
    config:
      batch_input_shape: !!python/tuple
      - null
      - 3
      dtype: float32
      name: drop
      noise_shape: null
      rate: 0.5
      seed: null
      trainable: true
  name: 'yes'
keras_version: 2.2.4-tf
]], model:to_yaml())
    end)

    it("notes the shape that a stack was built for only where it was not told its input", function()
      local model = cusp.Sequential{layers.Dense{2, name = "a"}}
      model:build{cusp.None, 3}
      local config = json.decode(model:to_json()).config
      assert.equal("[null, 3]", json.encode(config.build_input_shape))
      assert.is_nil(config.layers[1].config.batch_input_shape)
      local again = models.model_from_json(model:to_json())
      assert.is_true(again.built)
      assert.equal(model:to_json(), again:to_json())
    end)

    it("leaves out for HDF5 what Keras 3 would refuse", function()
      local model = cusp.Sequential{cusp.Input{shape = {5, 3}}, layers.LSTM{2}}
      local config = configuration.of_model(model, {format = "h5"}).config
      assert.equal("InputLayer", config.layers[1].class_name)
      assert.is_nil(config.layers[2].config.time_major)
      assert.is_false(configuration.of_model(model).config.layers[1].config.time_major)
    end)
  end)

  it("Keras 3's form has what Keras 3 writes, for every model", function()
    for _, path in ipairs(files "k3_model%.json$") do
      local wanted = json.decode(read(path))
      local got = json.decode(model_of(path, custom):to_json{format = "keras3"})
      -- these files were written after it had been removed
      got.compile_config.optimizer = wanted.compile_config.optimizer
      if path:find "subclassed" then got.config.name = nil end
      local found = difference(got, wanted, path)
      assert(not found, found)
    end
  end)

  it("every file comes back the same in both forms, in JSON and in YAML", function()
    for _, path in ipairs(files "%a+%.%a+$") do
      if path ~= "training.json" and path ~= "README.md" then
        local model = model_of(path, custom)
        for _, format in ipairs{"tf2", "keras3"} do
          local text = model:to_json{format = format}
          assert.equal(text, models.model_from_json(text, custom):to_json{format = format}, path)
          local yaml = model:to_yaml{format = format, sort_keys = false}
          assert.equal(text, models.model_from_yaml(yaml, custom):to_json{format = format})
        end
      end
    end
  end)

  it("models predict the same after a way through each form, and as copies", function()
    for _, path in ipairs{"nested/k3_model.json", "tf20/shared_layers.json",
      "transformer/tf2_model.json", "keras21/keras21_conv2d.json",
      "tf20/bidirectional.yaml"} do
      local model = model_of(path)
      local inputs = {}
      for i, input in ipairs(model.inputs) do
        local shape = cusp.shape(input.shape)
        shape[1] = 2
        local random = input.dtype:find "int"
          and cusp.random.randint(shape, 0, 5, {dtype = input.dtype})
        inputs[i] = random or cusp.random.uniform(shape)
      end
      if #inputs == 1 then inputs = inputs[1] end
      local wanted = model(inputs)
      for _, copy in ipairs{models.model_from_json(model:to_json()),
        models.model_from_json(model:to_json{format = "keras3"}),
        models.clone_model(model),
        models.model_from_config(configuration.of_model(model, {format = "h5"}))} do
        copy:set_weights(model:get_weights())
        golden_models.check_same(copy(inputs), wanted, path)
      end
    end
  end)

  it("operations in graphs come back, those made in Lua too", function()
    local x = cusp.Input{shape = {4}, name = "x"}
    local y = cusp.ops.norm(cusp.ops.concatenate({x * 2, x}, -1), {axis = -1, keepdims = true})
    local model = cusp.Model{x, y:sum{axis = 2}}
    local data = cusp.random.uniform{3, 4}
    for _, format in ipairs{"tf2", "keras3"} do
      local again = models.model_from_json(model:to_json{format = format})
      golden_models.check_same(again(data), model(data), format)
    end
  end)

  it("operations are TensorFlow's functions in TF 2's form, where it has them", function()
    local x, z = cusp.Input{shape = {4}, name = "x"}, cusp.Input{shape = {4}, name = "z"}
    local y = cusp.ops.mean(2 * (x + z) - 1, {axis = -1, keepdims = true})
    local model = cusp.Model{{x, z}, cusp.ops.concatenate({y, cusp.ops.relu(x)}, {axis = 2})}
    local list = json.decode(model:to_json()).config.layers
    local found = {}
    for _, layer in ipairs(list) do
      if layer.class_name == "TFOpLambda" then
        found[#found + 1] = ("%s %s"):format(layer.config["function"],
          json.encode(layer.inbound_nodes):gsub('"[%w_]+", 0, 0', "*"))
      end
    end
    table.sort(found)
    assert.are.same({
      '__operators__.add [[*, {"y": [*]}]]', 'concat [[[*, {"axis": 1}], [*, {"axis": 1}]]]',
      'math.multiply [["_CONSTANT_VALUE", -1, 2.0, {"y": [*]}]]',
      'math.reduce_mean [[*, {"axis": -1, "keepdims": true}]]',
      'math.subtract [[*, {"y": 1.0}]]', "nn.relu [[*, {}]]",
    }, found)
    local data = {cusp.random.uniform{3, 4}, cusp.random.uniform{3, 4}}
    golden_models.check_same(models.model_from_json(model:to_json())(data), model(data), "model")
    local text = model:to_json():gsub("nn.relu", "nn.unheard_of")
    local ok, message = pcall(models.model_from_json, text)
    assert.is_false(ok)
    assert.matches(
      "TFOpLambda '[%w_]+'%): TensorFlow's function string \"nn.unheard_of\" is not known here",
      message)
  end)

  it("indents, sorts and escapes as Python does", function()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{2, name = "é"}}
    assert.matches('"name": "\\u00e9"', model:to_json(), 1, true)
    assert.matches('"name": "é"', model:to_json{ensure_ascii = false}, 1, true)
    assert.equal('{\n  "backend": "tensorflow",\n  "class_name"',
      model:to_json({indent = 2, sort_keys = true}):sub(1, 43))
    assert.equal(model:to_json(), models.model_from_json(model:to_json{indent = 4}):to_json())
  end)
end)

describe("training configurations:", function()
  local function all() return json.decode(read "training.json") end

  it("those of every generation compile a model, which writes them again", function()
    for name, config in pairs(all()) do
      local folder = name:match "^legacy/tf20_style/(%w+)" or name:match "^(multi_output)"
        or "tutorial_functional"
      local model = model_of(folder .. "/tf2_model.json")
      configuration.compile(model, config)
      for _, format in ipairs{"tf2", "tf20", "keras3"} do
        local text = json.encode(configuration.of_compile(model, {format = format}))
        configuration.compile(model, json.decode(text))
        assert.equal(text, json.encode(configuration.of_compile(model, {format = format})), name)
      end
    end
  end)

  it("optimizers are written as the versions write them", function()
    for name, config in pairs(all()) do
      local model = model_of "tutorial_functional/tf2_model.json"
      config.metrics, config.weighted_metrics, config.loss, config.loss_weights = nil, nil,
        "mse", nil
      configuration.compile(model, config)
      local legacy, wanted = name:find "legacy", config.optimizer_config
      local new = type(config.run_eagerly) == "boolean"
      local got = configuration.of_compile(model,
        {format = new and "keras3" or legacy and "tf20" or "tf2"})
      got = json.decode(json.encode(new and got.optimizer or got.optimizer_config))
      -- Kept elsewhere: a decaying rate is a schedule, and names are numbered within a program.
      if type(wanted.config.learning_rate) == "table" or wanted.config.decay == 0.1 then
        wanted.config.learning_rate, wanted.config.decay, got.config.learning_rate,
          got.config.decay = nil, nil, nil, nil
      end
      got.module, got.registered_name = nil, nil
      wanted.config.name, got.config.name, wanted.config.beta = nil, nil, got.config.beta
      if name:find "tf20_style" then wanted.config.learning_rate = got.config.learning_rate end
      local found = difference(got, {class_name = wanted.class_name, config = wanted.config}, name)
      assert(not found, found)
    end
  end)

  it("decay becomes the schedule that it was", function()
    local model = model_of "tutorial_functional/tf2_model.json"
    configuration.compile(model, all()["legacy/optimizer_adam_decay/model.h5"])
    local rate = model.optimizer:get_config().learning_rate
    assert.equal("InverseTimeDecay", rate.class_name)
    assert(math.abs(cusp.optimizers.schedules.deserialize(rate)(3):item() - 0.01 / 1.3) < 1e-6)
  end)

  it("a loss has a reduction that both TensorFlow 2 and Keras 3 take", function()
    local model = model_of "tutorial_functional/tf2_model.json"
    model:compile{optimizer = "sgd", loss = cusp.losses.Huber{delta = 2.0}}
    local loss = configuration.of_compile(model, {format = "h5"}).loss
    assert.equal("sum_over_batch_size", loss.config.reduction)
    loss.config.reduction = "auto"
    configuration.compile(model,
      {optimizer_config = {class_name = "SGD", config = {}}, loss = loss})
    assert.equal("sum_over_batch_size", model.loss.reduction)
  end)

  it("metrics of several outputs keep their names", function()
    local model = model_of "multi_output/tf2_model.json"
    configuration.compile(model, all()["multi_output/tf2_model.h5"])
    local config = json.decode(json.encode(configuration.of_compile(model)))
    assert.equal("mae", config.metrics[1][1].config.name)
    assert.equal("accuracy", config.metrics[2][1].config.name)
    assert.equal("mean_squared_error", config.loss.price)
  end)
end)
