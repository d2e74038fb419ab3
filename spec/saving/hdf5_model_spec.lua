-- Whole models as HDF5: what is written, and errors for wrong files.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local warnings = require "cusp.base.warnings"
local layers = cusp.layers

local function make_model(optimizer)
  local x = cusp.Input{shape = {3}, name = "x"}
  local model = cusp.Model{inputs = x, outputs = layers.Dense{2, name = "out"}(x), name = "small"}
  if optimizer ~= false then
    model:compile{optimizer = optimizer or "adam", loss = "mse", metrics = {"mae"}}
  end
  return model
end

local function train(model)
  model:fit{cusp.ones{4, 3}, cusp.ones{4, 2}, batch_size = 2, verbose = 0}
  return model
end

local function attributes_of(file, group)
  local object, found = group and file:get(group) or file.root, {}
  for _, name in ipairs(object.attributes:names()) do found[name] = object.attributes:get(name) end
  return found
end

-- Saves a model, changes the file's contents in a copy, and loads it.
local function rewritten(path, change)
  local source <close> = cusp.hdf5.open(path)
  local attributes, members = attributes_of(source), {}
  local function collect(group, place)
    members[#members + 1] = {place = place, attributes = attributes_of(source, place)}
    for _, name in ipairs(group:names()) do
      local member = group:get(name)
      if member.kind == "dataset" then members[#members + 1] = {place = place .. "/" .. name,
        value = member:read()}
      else collect(member, place .. "/" .. name) end
    end
  end
  for _, name in ipairs(source.root:names()) do collect(source.root:get(name), name) end
  local list = {}
  for _, member in ipairs(members) do list[member.place] = member end
  change(attributes, list)
  local file = cusp.hdf5.create(path)
  for name, value in pairs(attributes) do file.root.attributes:set(name, value) end
  for _, member in ipairs(members) do
    if list[member.place] and member.value then
      file.root:create_dataset(member.place, member.value)
    elseif list[member.place] then
      local group = file.root:require_group(member.place)
      for name, value in pairs(member.attributes) do group.attributes:set(name, value) end
    end
  end
  file:close()
end

describe("whole models as HDF5", function()
  it("have configuration, training configuration, weights and optimizer's state as tf.keras 2.15 "
    .. "writes them", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/m.h5"
    train(make_model()):save(path)
    local file <close> = cusp.hdf5.open(path)
    local root = attributes_of(file)
    assert.are.equal("2.15.0", root.keras_version)
    assert.are.equal("utf8", file.root.attributes:describe("keras_version").charset)
    assert.are.equal("ascii", file.root.attributes:describe("model_config").charset)
    local config = cusp.json.decode(root.model_config)
    assert.are.equal("InputLayer", config.config.layers[1].class_name)
    assert.are.equal("Custom>Adam",
      cusp.json.decode(root.training_config).optimizer_config.class_name)
    assert.are.same({"x", "out"}, attributes_of(file, "model_weights").layer_names)
    assert.are.same({
      "iteration:0", "Adam/m/out/kernel:0", "Adam/v/out/kernel:0", "Adam/m/out/bias:0",
      "Adam/v/out/bias:0",
    }, attributes_of(file, "optimizer_weights").weight_names)
    assert.are.equal("int64", file:get("optimizer_weights/iteration:0").dtype)
    assert.are.equal(2, file:get("optimizer_weights/iteration:0"):read():item())
    assert.are.same({"model_weights", "optimizer_weights"}, file.root:names())
  end)

  it("hold plain SGD's unused slots, as tf.keras 2.15 does", function()
    local scope <close> = folder.new()
    train(make_model "sgd"):save(scope.path .. "/m.h5")
    local file <close> = cusp.hdf5.open(scope.path .. "/m.h5")
    assert.are.same({"iteration:0", "SGD/m/out/kernel:0", "SGD/m/out/bias:0"},
      attributes_of(file, "optimizer_weights").weight_names)
  end)

  it("without the optimizer are not compiled", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/m.h5"
    make_model():save(path, {include_optimizer = false})
    local list, model = warnings.collect(cusp.models.load_model, path)
    assert.is_truthy(list[1]:find("no training_config", 1, true), list[1])
    assert.is_falsy(model.compiled)
    assert.are.same({}, (warnings.collect(cusp.models.load_model, path, {compile = false})))
  end)

  it("say where the optimizer's state does not fit, and reset it", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/m.h5"
    train(make_model()):save(path)
    rewritten(path, function(_, members)
      local names = members.optimizer_weights.attributes.weight_names
      members.optimizer_weights.attributes.weight_names = {table.unpack(names, 1, 3)}
    end)
    local list, model = warnings.collect(cusp.models.load_model, path)
    assert.is_truthy(list[1]:find("was reset", 1, true) and list[1]:find(path, 1, true),
      list[1])
    assert.are.equal(0, model.optimizer.iterations:item())
  end)

  it("name the file and the place of what is wrong", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/m.h5"
    local function message_for(change)
      train(make_model()):save(path)
      rewritten(path, change)
      local ok, message = pcall(cusp.models.load_model, path)
      assert.is_false(ok)
      assert.is_truthy(message:find(path, 1, true), message)
      return message
    end
    local function check(part, change)
      local message = message_for(change)
      assert.is_truthy(message:find(part, 1, true), message)
    end
    check("has no model_config", function(root) root.model_config = nil end)
    check("attribute 'model_config'", function(root) root.model_config = "{" end)
    check("attribute 'model_config'", function(root) root.model_config = cusp.ones{3} end)
    check("attribute 'training_config'", function(root) root.training_config = "[1" end)
    check("'NoSuchLayer'", function(root)
      root.model_config = root.model_config:gsub('"class_name": "Dense"',
        '"class_name": "NoSuchLayer"')
    end)
    check("has no group model_weights", function(_, members)
      for place in pairs(members) do
        if place:find "^model_weights" then members[place] = nil end
      end
    end)
    check("[3, 2]", function(_, members)
      members["model_weights/out/out/kernel:0"].value = cusp.ones{5, 2}
    end)
    check("is missing", function(_, members) members["model_weights/out/out/kernel:0"] = nil end)
    check("is missing", function(_, members)
      members["optimizer_weights/Adam/m/out/bias:0"] = nil
    end)
    check("has 2 weights, the file has 1", function(_, members)
      members["model_weights/out"].attributes.weight_names = {"out/kernel:0"}
    end)
    check("has 2 weights, the file has 3", function(_, members)
      members["model_weights/out"].attributes.weight_names = {"out/kernel:0", "out/bias:0",
        "out/bias:0"}
    end)
    check("values of a variable", function(_, members)
      members["model_weights/out/out/bias:0"].value = {"a", "b"}
    end)
  end)

  it("are not made of other models", function()
    local scope <close> = folder.new()
    local Mine = cusp.Model:extend("Hdf5Mine", {call = function(_, x) return x end})
    local model = Mine()
    model(cusp.ones{2, 2})
    local ok, message = pcall(model.save, model, scope.path .. "/m.h5")
    assert.is_false(ok)
    assert.is_truthy(message:find("Hdf5Mine", 1, true) and message:find("get_config", 1, true),
      message)
  end)

  it("holds a nested stack that was made without an input", function()
    local scope <close> = folder.new()
    local inputs = cusp.Input{shape = {4}}
    local x = cusp.Sequential{cusp.layers.Dense(2), cusp.layers.Dropout(0.5)}(inputs)
    local model = cusp.Model(inputs, {cusp.layers.Dense(3)(x), x})
    model:save(scope.path .. "/model.h5")
    local again = cusp.models.load_model(scope.path .. "/model.h5", {compile = false})
    local batch = cusp.ones{1, 4}
    for i, output in ipairs(model:predict{batch, verbose = 0}) do
      assert.same(output:tolist(), again:predict{batch, verbose = 0}[i]:tolist())
    end
  end)
end)
