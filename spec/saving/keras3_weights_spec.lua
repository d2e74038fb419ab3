-- Weights in Keras 3's layout: the paths of parts, and how they are matched with a model.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local warnings = require "cusp.base.warnings"
local layers = cusp.layers

local function paths_in(path)
  local file <close> = cusp.hdf5.open(path)
  local found, names = {}, {}
  local function visit(group, place)
    for _, name in ipairs(group:names()) do
      local member, at = group:get(name), place == "" and name or place .. "/" .. name
      if member.kind == "dataset" then
        found[#found + 1] = at
      else
        names[at] = member.attributes:get "name"
        visit(member, at)
      end
    end
  end
  visit(file.root, "")
  return found, names
end

local Block = layers.Layer:extend("SavedBlock", {
  init = function(self, args)
    layers.Layer.init(self, args)
    self.zz = {layers.Dense(2), layers.Dense(2)}
    self.map = {b = layers.Dense(2), a = layers.Dense(2)}
    self._p = layers.Dense(2)
    self.nested = {{layers.Dense(2)}, {layers.Dense(2)}}
    self.drop = layers.Dropout(0.5)
  end,
  build = function(self) self.w = self:add_weight{name = "w", shape = {2}} end,
  call = function(self, x)
    for _, layer in ipairs(self.zz) do x = layer(x) end
    x = self.map.b(self.map.a(x))
    for _, list in ipairs(self.nested) do x = list[1](x) end
    return self.drop(self._p(x) * self.w)
  end,
})

local function saved(model)
  local scope = folder.new()
  local path = scope.path .. "/model.weights.h5"
  model:save_weights(path)
  return scope, path
end

local function contains(list, wanted)
  for _, item in ipairs(list) do
    if item == wanted then return true end
  end
  return false
end

local function set_all(model, value)
  for _, variable in ipairs(model.weights) do
    variable:assign(cusp.ops.zeros_like(variable) + value)
  end
end

describe("weights in Keras 3's layout", function()
  it("have the paths of fields, lists, tables and stacks", function()
    local x = cusp.Input{shape = {4, 2}}
    local h = Block{name = "block"}(x)
    h = layers.RNN{layers.StackedRNNCells{{layers.LSTMCell(3), layers.GRUCell(2)}},
      return_sequences = true}(h)
    h = layers.Bidirectional{layers.LSTM{3, return_sequences = true}}(h)
    h = layers.TimeDistributed{layers.SpectralNormalization{layers.Dense(3)}}(h)
    h = layers.MultiHeadAttention{2, 2, dropout = 0.1}(h, h)
    h = layers.GroupQueryAttention{3, 2, 1}(h, h)
    local model = cusp.Model{inputs = x, outputs = h, name = "whole"}
    local scope <close>, path = saved(model)
    local found, names = paths_in(path)
    for _, wanted in ipairs{
      "layers/saved_block/vars/0", "layers/saved_block/zz/dense/vars/0",
      "layers/saved_block/zz/dense_1/vars/1",
      "layers/saved_block/map/dense/vars/0", "layers/saved_block/map/dense_1/vars/0",
      "layers/saved_block/_p/vars/0",
      "layers/saved_block/nested/container/dense/vars/0",
      "layers/saved_block/nested/container_1/dense/vars/0",
      "layers/rnn/cell/cells/lstm_cell/vars/2", "layers/rnn/cell/cells/gru_cell/vars/2",
      "layers/bidirectional/forward_layer/cell/vars/0",
      "layers/bidirectional/backward_layer/cell/vars/2",
      "layers/time_distributed/layer/vars/1", "layers/time_distributed/layer/layer/vars/1",
      "layers/multi_head_attention/query_dense/vars/0",
      "layers/multi_head_attention/output_dense/vars/1",
      "layers/grouped_query_attention/_query_dense/vars/0",
    } do assert.is_true(contains(found, wanted), wanted) end
    assert.are.equal("whole", names.vars)
    assert.are.equal("block", names["layers/saved_block/vars"])
    assert.is_truthy(names["layers/input_layer/vars"])
    assert.is_truthy(names["layers/multi_head_attention/_softmax/vars"])
    assert.is_truthy(scope)
  end)

  it("come back, whatever the layers' names", function()
    local function make()
      return cusp.Sequential{cusp.Input{shape = {3, 2}}, Block(), layers.LSTM(3)}
    end
    local model, other = make(), make()
    local scope <close>, path = saved(model)
    other:load_weights(path)
    for i, variable in ipairs(model.weights) do
      assert.are.equal(variable.value:tobytes(), other.weights[i].value:tobytes())
    end
    assert.is_truthy(scope)
  end)

  it("of the field names of a user-defined model", function()
    local Mine = cusp.Model:extend("SavedMine", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.encoder, self.decoder = layers.Dense(3), layers.Dense(2)
      end,
      call = function(self, x) return self.decoder(self.encoder(x)) end,
    })
    local model, other = Mine(), Mine()
    model:build{cusp.None, 4}
    local scope <close>, path = saved(model)
    local found = paths_in(path)
    assert.are.same({"decoder/vars/0", "decoder/vars/1", "encoder/vars/0", "encoder/vars/1"}, found)
    other:load_weights(path) -- not built yet
    local x = cusp.random.uniform{2, 4}
    assert.are.equal(model:predict({x, verbose = 0}):tobytes(),
      other:predict({x, verbose = 0}):tobytes())
    assert.is_truthy(scope)
  end)

  it("say what differs, and leave the model as it was", function()
    local function make(units)
      return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(units), layers.Dense(2),
        layers.Dense(2)}
    end
    local scope <close>, path = saved(make(4))
    local model = make(5)
    set_all(model, 7)
    local message = select(2, pcall(model.load_weights, model, path))
    for _, part in ipairs{path, "/layers/dense/vars", "[3, 5]", "[3, 4]", "and 1 more",
      "skip_mismatch"} do
      assert.is_truthy(message:find(part, 1, true), part .. " is not in: " .. message)
    end
    assert.are.equal(7.0, model.weights[4].value:min():item())
    local list = warnings.collect(function() model:load_weights(path, {skip_mismatch = true}) end)
    assert.are.equal(2, #list)
    assert.are.equal(7.0, model.weights[1].value:max():item())
    assert.are.equal(0.0, model.weights[6].value:max():item())
    assert.is_false(pcall(model.load_weights, model, path, {by_name = true}))
    assert.is_truthy(scope)
  end)

  it("say which part a file does not have", function()
    local scope <close>, path = saved(cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)})
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4), layers.Dense(2)}
    local message = select(2, pcall(model.load_weights, model, path))
    assert.is_truthy(message:find("/layers/dense_1: Dense", 1, true), message)
    assert.is_truthy(message:find("has 2 variables, the file has 0", 1, true), message)
    assert.is_truthy(scope)
  end)

  it("in bfloat16 are marked as such, since HDF5 has no type for them", function()
    local function make()
      return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{2, dtype = "bfloat16"}}
    end
    local model, other = make(), make()
    local scope <close>, path = saved(model)
    local file <close> = cusp.hdf5.open(path)
    assert.are.equal("bfloat16", file:get("layers/dense/vars/0").attributes:get "dtype")
    other:load_weights(path)
    assert.are.equal(model.weights[1].value:tobytes(), other.weights[1].value:tobytes())
    assert.is_truthy(scope)
  end)

  it("are found under the paths of Keras before 2.14 as well", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/old.weights.h5"
    local file = cusp.hdf5.create(path)
    file.root:create_group "vars"
    file.root:create_dataset("_layer_checkpoint_dependencies/dense/vars/0", cusp.ones{3, 4})
    file.root:create_dataset("_layer_checkpoint_dependencies/dense/vars/1", cusp.ones{4})
    file:close()
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)}
    model:load_weights(path)
    assert.are.equal(1.0, model.weights[1].value:min():item())
  end)

  it("with groups that hold something else are refused", function()
    local scope <close> = folder.new()
    local path = scope.path .. "/bad.weights.h5"
    for _, bad in ipairs{"layers/dense/vars/kernel", "layers/dense/vars/-1", "layers/dense/vars/7",
      "layers/dense/vars/0/deeper"} do
      local file = cusp.hdf5.create(path)
      file.root:create_dataset(bad, cusp.ones{3, 4})
      file:close()
      local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)}
      local ok, message = pcall(model.load_weights, model, path)
      assert.is_false(ok)
      assert.is_truthy(message:find(path, 1, true) and message:find("/layers/dense/vars", 1, true),
        message)
    end
  end)

  it("hold the optimizer's state, which a model compiled alike takes", function()
    local function make(name)
      local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(2)}
      model:compile{optimizer = name, loss = "mse"}
      return model
    end
    local model = make "adam"
    model:fit{cusp.ones{8, 3}, cusp.ones{8, 2}, batch_size = 2, verbose = 0}
    local scope <close>, path = saved(model)
    local other, without, plain = make "adam", make "adagrad",
      cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(2)}
    other:load_weights(path)
    assert.are.equal(4, other.optimizer.iterations:item())
    assert.are.equal(model.optimizer.variables[3].value:tobytes(),
      other.optimizer.variables[3].value:tobytes())
    local list = warnings.collect(function() without:load_weights(path) end)
    assert.are.equal(1, #list)
    assert.is_truthy(list[1]:find("optimizer 'adagrad", 1, true), list[1])
    plain:load_weights(path)
    assert.are.equal(plain.weights[1].value:tobytes(), model.weights[1].value:tobytes())
    assert.is_truthy(scope)
  end)
end)
