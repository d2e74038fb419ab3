-- Weights in the layout of tf.keras 2: what is written, and how it is matched with a model.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local warnings = require "cusp.base.warnings"
local layers = cusp.layers

local function dense_model(units, names)
  local x = cusp.Input{shape = {4}, name = "x"}
  local h = layers.Dense{units or 3, name = names and names[1] or "first"}(x)
  return cusp.Model{inputs = x, outputs = layers.Dense{2, name = names and names[2] or "second"}(h)}
end

local function values(model)
  local result = {}
  for i, variable in ipairs(model.weights) do result[i] = variable.value:tobytes() end
  return result
end

-- A new folder, and the path of a weights file in it.
local function saved(model, name)
  local scope = folder.new()
  local path = scope.path .. "/" .. (name or "w.h5")
  model:save_weights(path)
  return scope, path
end

local function attributes_of(path, group)
  local file <close> = cusp.hdf5.open(path)
  local object = group and file:get(group) or file.root
  local found = {}
  for _, name in ipairs(object.attributes:names()) do found[name] = object.attributes:get(name) end
  return found, function(name) return object.attributes:describe(name) end
end

describe("weights in the layout of tf.keras 2", function()
  it("have layer_names, weight_names, backend and version as h5py writes them", function()
    local scope <close>, path = saved(dense_model())
    local root, describe_root = attributes_of(path)
    assert.are.same({"x", "first", "second"}, root.layer_names)
    assert.are.equal("tensorflow", root.backend)
    assert.are.equal("2.15.0", root.keras_version)
    local kind = describe_root "layer_names"
    assert.are.equal("string", kind.kind)
    assert.is_true(kind.variable)
    assert.are.equal("ascii", kind.charset)
    local layer = attributes_of(path, "first")
    assert.are.same({"first/kernel:0", "first/bias:0"}, layer.weight_names)
    local _, describe_input = attributes_of(path, "x")
    assert.are.same({0}, describe_input("weight_names").shape)
    assert.are.equal("float64", describe_input("weight_names").dtype)
    local file <close> = cusp.hdf5.open(path)
    assert.are.same({4, 3}, file:get("first/first/kernel:0").shape)
    assert.is_truthy(file:get "top_level_model_weights")
    assert.is_truthy(scope)
  end)

  it("name the weights of nested layers as TensorFlow does", function()
    local x = cusp.Input{shape = {5, 3}}
    local each = layers.TimeDistributed{layers.Dense(4), name = "each"}
    local inner = cusp.Sequential{cusp.Input{shape = {5, 4}}, each, name = "inner"}
    local h = layers.LSTM{4, return_sequences = true, name = "lstm"}(x)
    h = layers.Bidirectional{layers.GRU{2, return_sequences = true, name = "gru"},
      name = "both"}(inner(h))
    h = layers.MultiHeadAttention{2, 2, name = "attention"}(h, h)
    h = layers.DepthwiseConv1D{2, name = "depthwise"}(h)
    local scope <close>, path = saved(cusp.Model{inputs = x, outputs = h})
    local function names(layer) return attributes_of(path, layer).weight_names end
    assert.are.same({"lstm/lstm_cell/kernel:0", "lstm/lstm_cell/recurrent_kernel:0",
      "lstm/lstm_cell/bias:0"},
      {table.unpack((function(list)
        for i, name in ipairs(list) do list[i] = name:gsub("_cell_%d+/", "_cell/") end
        return list
      end)(names "lstm"))})
    assert.are.same({"each/kernel:0", "each/bias:0"}, names "inner")
    assert.is_truthy(names("both")[1]:find "^both/forward_gru/gru_cell[_%d]*/kernel:0$")
    assert.is_truthy(names("both")[4]:find "^both/backward_gru/gru_cell[_%d]*/kernel:0$")
    assert.are.equal("attention/query/kernel:0", names("attention")[1])
    assert.are.equal("attention/attention_output/bias:0", names("attention")[8])
    assert.are.same({"depthwise/depthwise_kernel:0", "depthwise/bias:0"}, names "depthwise")
    assert.is_truthy(scope)
  end)

  it("split names over attributes above 64,512 bytes, as fixed strings", function()
    local x = cusp.Input{shape = {2}, name = "x"}
    local h = x
    for i = 1, 130 do
      h = layers.Dense{1, use_bias = i % 2 == 0,
        name = ("layer_%03d_"):format(i) .. ("n"):rep(500)}(h)
    end
    local model = cusp.Model{inputs = x, outputs = h}
    local scope <close>, path = saved(model)
    local root, describe_root = attributes_of(path)
    assert.is_nil(root.layer_names)
    assert.are.equal(131, #root.layer_names0 + #root.layer_names1)
    assert.are.equal(66, #root.layer_names0)
    assert.is_false(describe_root("layer_names0").variable)
    assert.are.equal(510, describe_root("layer_names0").size)
    local before = values(model)
    for _, variable in ipairs(model.weights) do variable:assign(variable * 0) end
    model:load_weights(path)
    assert.are.same(before, values(model))
    assert.is_truthy(scope)
  end)

  it("are read where names are strings of fixed length, and where they are not ASCII", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/old.h5"
    local file = cusp.hdf5.create(path)
    file.root.attributes:set("layer_names", {"x", "größe", "b"}, {charset = "ascii", fixed = true})
    for _, name in ipairs{"x", "größe", "b"} do
      local group = file.root:create_group(name)
      local shape = name == "b" and {3, 2} or {4, 3}
      local list = name ~= "x" and {name .. "/kernel:0", name .. "/bias:0"} or {}
      group.attributes:set("weight_names", list,
        #list > 0 and {charset = "ascii", fixed = true} or nil)
      for i, weight in ipairs(list) do
        group:create_dataset(weight, cusp.ones(i == 1 and shape or {shape[2]}))
      end
    end
    file:close()
    local model = dense_model()
    model:load_weights(path)
    assert.are.equal(1.0, model.weights[1].value:min():item())
    assert.are.equal(1.0, model.weights[4].value:max():item())
  end)

  it("are matched one after the other, whatever the names", function()
    local model, other = dense_model(3), dense_model(3, {"a", "b"})
    local scope <close>, path = saved(model)
    other:load_weights(path)
    assert.are.same(values(model), values(other))
    assert.is_truthy(scope)
  end)

  it("are matched by name where asked", function()
    local model, other = dense_model(3), dense_model(3, {"first", "new"})
    local kept = values(other)
    local scope <close>, path = saved(model)
    other:load_weights(path, {by_name = true})
    local now, source = values(other), values(model)
    assert.are.same({source[1], source[2], kept[3], kept[4]}, now)
    assert.is_truthy(scope)
  end)

  it("say what differs, and leave the model as it was", function()
    local scope <close>, path = saved(dense_model(3))
    local model = dense_model(5)
    local before = values(model)
    local message = select(2, pcall(model.load_weights, model, path))
    for _, part in ipairs{path, "first", "first/kernel", "[4, 5]", "[4, 3]"} do
      assert.is_truthy(message:find(part, 1, true), part .. " is not in: " .. message)
    end
    assert.are.same(before, values(model))
    local x = cusp.Input{shape = {4}}
    local small = cusp.Model{inputs = x, outputs = layers.Dense(3)(x)}
    message = select(2, pcall(small.load_weights, small, path))
    assert.is_truthy(message:find("1 layers with weights", 1, true)
      and message:find("the file 2 (first, second)", 1, true), message)
    assert.is_truthy(scope)
  end)

  it("leave out what does not fit with skip_mismatch, and warn", function()
    local source = dense_model(3)
    local scope <close>, path = saved(source)
    local x = cusp.Input{shape = {4}}
    local h = layers.Dense{3, name = "first"}(x)
    local model = cusp.Model{inputs = x, outputs = layers.Dense{7, name = "second"}(h)}
    local before = values(model)
    local list = warnings.collect(function() model:load_weights(path, {skip_mismatch = true}) end)
    assert.are.equal(2, #list)
    assert.is_truthy(list[1]:find("[3, 7]", 1, true), list[1])
    assert.are.same({values(source)[1], values(source)[2], before[3], before[4]}, values(model))
    list = warnings.collect(function()
      model:load_weights(path, {skip_mismatch = true, by_name = true})
    end)
    assert.are.equal(2, #list)
    assert.is_truthy(scope)
  end)

  it("hold the variables of a model itself, and shared ones once in each layer", function()
    local Scaled = cusp.Model:extend("Scaled", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.dense = layers.Dense(2)
        self.gain = self:add_weight{name = "gain", shape = {2}, initializer = "ones"}
      end,
      call = function(self, inputs) return self.dense(inputs) * self.gain end,
    })
    local model, other = Scaled(), Scaled()
    model(cusp.ones{1, 3})
    model.gain:assign{5, 6}
    local scope <close>, path = saved(model)
    assert.are.equal(1, #attributes_of(path, "top_level_model_weights").weight_names)
    other(cusp.ones{1, 3})
    other:load_weights(path)
    assert.are.same(values(model), values(other))
    assert.is_truthy(scope)
  end)

  it("of a whole model's file are read, too", function()
    local model, other = dense_model(), dense_model()
    local scope <close> = folder.new()
    model:save(scope.path .. "/whole.h5")
    other:load_weights(scope.path .. "/whole.h5")
    assert.are.same(values(model), values(other))
  end)

  it("name the file and the place where something is missing or of another kind", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/bad.h5"
    local function message_for(make)
      local file = cusp.hdf5.create(path)
      make(file.root)
      file:close()
      local model = dense_model()
      local before = values(model)
      local ok, message = pcall(model.load_weights, model, path)
      assert.is_false(ok)
      assert.are.same(before, values(model))
      assert.is_truthy(message:find(path, 1, true), message)
      return message
    end
    local function names(root, list) root.attributes:set("layer_names", list) end
    assert.is_truthy(message_for(function(root)
      names(root, {"a"})
    end):find "the group 'a' is missing")
    assert.is_truthy(message_for(function(root)
      root.attributes:set("layer_names", cusp.ones{3})
    end):find "expected a list of names")
    assert.is_truthy(message_for(function(root)
      names(root, {"a"})
      root:create_dataset("a", cusp.ones{3})
    end):find "expected a group")
    assert.is_truthy(message_for(function(root)
      names(root, {"a"})
      root:create_group "a"
    end):find "'weight_names' is missing")
    assert.is_truthy(message_for(function(root)
      names(root, {"a"})
      root:create_group("a").attributes:set("weight_names", {"kernel"})
    end):find "the listed weight 'kernel' is missing")
    assert.is_truthy(message_for(function(root)
      names(root, {"a"})
      local group = root:create_group "a"
      group.attributes:set("weight_names", {"kernel"})
      group:create_dataset("kernel", "text")
    end):find "expected numeric values of a variable")
    assert.is_truthy(message_for(function(root)
      root:create_dataset("x", cusp.ones{3})
    end):find "is not a file of weights")
  end)
end)
