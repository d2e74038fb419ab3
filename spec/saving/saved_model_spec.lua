-- SavedModel folders of tf.keras 2.15 (scripts/fixtures/saved_models.py).
local cusp = require "cusp"
local folders = require "spec.support.folder"
local mutate = require "spec.support.mutate"
local fixtures = "spec/fixtures/saved_models/"

local layers = cusp.layers
local Blocks = cusp.Model:extend "Blocks"

function Blocks:init(args)
  cusp.Model.init(self, args)
  self.units = args.units
  self.first = layers.Dense{args.units, activation = "tanh"}
  self.blocks = {layers.Dense(args.units), layers.Dense(2)}
end

function Blocks:call(x)
  x = self.first(x)
  for _, block in ipairs(self.blocks) do x = block(x) end
  return x
end

local custom = {["saved_models>Blocks"] = Blocks, Blocks = Blocks}

local function off(model, name)
  local found = model:predict{cusp.load(fixtures .. name .. "_x.npy"), verbose = 0}
  return cusp.ops.max(cusp.ops.abs(found - cusp.load(fixtures .. name .. "_y.npy"))):item()
end

describe("a SavedModel", function()
  for _, name in ipairs{"functional", "older", "sequential", "subclassed"} do
    it("of tf.keras computes the same: " .. name, function()
      local model = cusp.models.load_model(fixtures .. name, {custom_objects = custom})
      assert.is_true(off(model, name) < 1e-6)
      assert.is_true(model.compiled)
    end)
  end

  it("brings the optimizer's state and the names of operations", function()
    for name, count in pairs{functional = 2, older = 2, sequential = 1} do
      local model = cusp.models.load_model(fixtures .. name)
      assert.equal(count, model.optimizer.iterations:item())
      local variables = model.optimizer.variables
      assert.is_true(cusp.ops.max(cusp.ops.abs(variables[#variables].value)):item() > 0)
    end
    local found = {}
    cusp.models.load_model(fixtures .. "functional"):summary{print_fn = function(line)
      found[#found + 1] = line
    end}
    assert.is_truthy(table.concat(found, "\n"):find("tf.math.multiply", 1, true))
  end)

  it("is not compiled without compile", function()
    local model = cusp.models.load_model(fixtures .. "functional", {compile = false})
    assert.is_falsy(model.compiled)
    assert.is_true(off(model, "functional") < 1e-6)
  end)

  it("is saved in other formats", function()
    local folder <close> = folders.new()
    local model = cusp.models.load_model(fixtures .. "functional")
    model:save(folder.path .. "/m.keras")
    local again = cusp.models.load_model(folder.path .. "/m.keras")
    assert.is_true(off(again, "functional") < 1e-6)
    assert.equal(2, again.optimizer.iterations:item())
  end)

  it("without a Keras model is refused with an explanation", function()
    local ok, message = pcall(cusp.models.load_model, fixtures .. "function")
    assert.is_false(ok)
    assert.is_truthy(message:find("holds functions as graphs, but not a Keras model", 1, true))
  end)

  it("whose class is unknown names it", function()
    local ok, message = pcall(cusp.models.load_model, fixtures .. "subclassed",
      {custom_objects = {Other = cusp.layers.Dense}})
    assert.is_true(ok or message:find("Blocks", 1, true) ~= nil, message)
  end)

  it("with missing or damaged parts is an error in words", function()
    local folder <close> = folders.new()
    local path = folder.path .. "/m"
    local function copy() assert(os.execute(("rm -rf '%s'; cp -r %sfunctional '%s'"):format(path,
      fixtures, path))) end
    copy()
    os.remove(path .. "/variables/variables.index")
    local ok, message = pcall(cusp.models.load_model, path)
    assert.is_false(ok)
    assert.is_truthy(message:find("variables/variables.index", 1, true), message)
    copy()
    local file = path .. "/keras_metadata.pb"
    local bytes = io.open(file, "rb"):read "a"
    for name, damaged in mutate.mutations(bytes, {count = 40, seed = 5}) do
      mutate.write(file, damaged)
      local _, problem = pcall(function() return {cusp.models.load_model(path)} end)
      assert.is_true(type(problem) == "table" or type(problem) == "string", name)
      assert.is_falsy(type(problem) == "string" and problem:find "attempt to", problem)
    end
  end)
end)

describe("a checkpoint", function()
  it("counts operations of a graph among its layers, as tf.keras does", function()
    local folder <close> = folders.new()
    local inputs = cusp.Input{shape = {3}}
    local model = cusp.Model(inputs, layers.Dense(2)(cusp.ops.multiply(layers.Dense(4)(inputs), 2)))
    model:save_weights(folder.path .. "/w")
    local reader <close> = cusp.saving.checkpoint.reader(folder.path .. "/w")
    local graph = require("cusp.saving.checkpoint.object_graph").decode(
      reader:strings("_CHECKPOINTABLE_OBJECT_GRAPH")[1], "w")
    assert.equal(graph:child(0, "layer_with_weights-1"), graph:child(0, "layer-3"))
    assert.is_nil(graph:child(0, "layer-2"))
  end)
end)
