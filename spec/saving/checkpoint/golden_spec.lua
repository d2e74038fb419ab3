-- Checkpoints written by TensorFlow: loads them, predicts, and writes them again unchanged.
local bundle = require "cusp.saving.checkpoint.bundle"
local cases = require "spec.support.cases"
local checkpoint = require "cusp.saving.checkpoint"
local configuration = require "cusp.saving.configuration"
local cusp = require "cusp"
local engine = require "cusp.engine"
local folder = require "spec.support.folder"
local golden_models = require "spec.support.golden_models"
local object_graph = require "cusp.saving.checkpoint.object_graph"
local sorted_table = require "cusp.saving.checkpoint.sorted_table"
local text_files = require "spec.support.text_files"

local root <const> = "spec/fixtures/checkpoint/"

local contents = text_files.read

local optimizers = cusp.json.decode(contents(root .. "optimizers.json"))

-- The models of checkpoints from legacy optimizers.
local function architecture(name)
  local tutorial = name:match "^legacy/(tutorial_.*)$"
  return tutorial or name:find "^legacy/" and "optimizer_sgd" or name
end

local function optimizer_of(name)
  local given = optimizers[name]
  if not given then return nil end
  local config = {}
  for key, value in pairs(given.config) do
    if key ~= "decay" and not (name:find "^legacy/" and key == "name") then config[key] = value end
  end
  return cusp.optimizers.deserialize{class_name = given.class_name, module = "keras.optimizers",
    config = config}
end

local function make(name)
  local objects = golden_models.custom_objects()
  local config = cusp.json.decode(contents(root .. architecture(name) .. "/model.json"))
  local model
  if config.class_name == "MyModel" then model = objects.MyModel{num_classes = 10}
  else model = configuration.to_model(config, {custom_objects = objects}) end
  local optimizer = optimizer_of(name)
  if optimizer then model:compile{optimizer = optimizer, loss = "mse"} end
  return model
end

local function inputs_of(name)
  local data = cusp.json.decode(contents(root .. name .. "/io.json"))
  local inputs = cases.convert(data.inputs)
  local _, expected = next(data.expected)
  return #inputs == 1 and inputs[1] or inputs, (data.expected.tf2 or expected).outputs
end

local function load(name)
  local model = make(name)
  local status = checkpoint.load(root .. name .. "/weights", model)
  return model, status
end

local function predict(model, inputs) return model:predict{inputs, verbose = 0} end

local function build_optimizer(model)
  if model.optimizer then model.optimizer:ensure_built(model.trainable_weights) end
end

local function names()
  local result = {}
  for _, below in ipairs{"", "legacy/"} do
    for _, name in ipairs(engine.files.list(root .. below)) do
      if engine.files.exists(root .. below .. name .. "/weights.index") then
        result[#result + 1] = below .. name
      end
    end
  end
  return result
end

-- Values that our objects do not use: the momentum of an SGD without momentum, which is not zero in
-- TensorFlow's file.
local function may_differ(name, key)
  if name == "optimizer_sgd" or name == "regularized" then
    return key:find "^optimizer/_variables/[1-9]"
  end
  return key == "optimizer/_current_learning_rate/.ATTRIBUTES/VARIABLE_VALUE"
end

local function compare(name, theirs, ours)
  assert.same(theirs:names(), ours:names())
  for _, key in ipairs(theirs:names()) do
    local a, b = theirs:entry(key), ours:entry(key)
    if key ~= object_graph.key then
      assert.same({a.dtype, a.shape, a.offset, a.size}, {b.dtype, b.shape, b.offset, b.size})
      if not may_differ(name, key) then assert.equal(a.crc, b.crc) end
    end
  end
end

-- The children that lead to values, by name, with the values' keys.
local function shape_of_graph(reader)
  local graph, result = object_graph.decode(reader:strings(object_graph.key)[1], reader.path), {}
  for id = 0, graph.count - 1 do
    local node = graph:node(id)
    for _, attribute in ipairs(node.attributes) do
      result[attribute.key] = graph:name(id)
    end
  end
  return result
end

describe("checkpoints of TensorFlow", function()
  for _, name in ipairs(names()) do
    it(name .. " loads and predicts", function()
      local model, status = load(name)
      local inputs, wanted = inputs_of(name)
      local outputs = predict(model, inputs)
      golden_models.check(outputs, wanted, name)
      build_optimizer(model)
      status:assert_existing_objects_matched():expect_partial()
      if model.optimizer then status:assert_consumed() end
    end)
  end

  for _, name in ipairs(names()) do
    local bytes = contents(root .. name .. "/weights.index")
    it(name .. " has an index that is written the same byte for byte", function()
      assert.equal(bytes, sorted_table.write(sorted_table.read(root .. name .. "/weights.index")))
    end)
    if optimizers[name] and not name:find "^legacy/" then
      it(name .. " is written with the same keys, places and bytes", function()
        local out <close> = folder.new()
        local model = load(name)
        predict(model, (inputs_of(name)))
        build_optimizer(model)
        checkpoint.save(out.path .. "/weights", model)
        local theirs <close> = bundle.open(root .. name .. "/weights")
        local ours <close> = bundle.open(out.path .. "/weights")
        compare(name, theirs, ours)
        assert.same(shape_of_graph(theirs), shape_of_graph(ours))
        assert.equal(contents(root .. name .. "/checkpoint"), contents(out.path .. "/checkpoint"))
      end)
    end
  end

  it("of older optimizers give their slots, iteration and learning rate", function()
    local model = load "legacy/optimizer_adam"
    build_optimizer(model)
    local reader <close> = checkpoint.reader(root .. "legacy/optimizer_adam/weights")
    local suffix = ".ATTRIBUTES/VARIABLE_VALUE"
    local optimizer = model.optimizer
    assert.equal(reader:tensor("optimizer/iter/" .. suffix):item(), optimizer.iterations:item())
    assert.equal(reader:tensor("optimizer/learning_rate/" .. suffix):item(),
      optimizer.learning_rate:item())
    local m = reader:tensor("layer_with_weights-1/kernel/.OPTIMIZER_SLOT/optimizer/m/" .. suffix)
    assert.equal(m:tobytes(), optimizer.momentums[3].value:tobytes())
    local v = reader:tensor("layer_with_weights-0/bias/.OPTIMIZER_SLOT/optimizer/v/" .. suffix)
    assert.equal(v:tobytes(), optimizer.velocities[2].value:tobytes())
  end)
end)
