-- Calls that Keras takes: integers and shapes as tensors, names and orders of arguments, nothing at
-- the end.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local function int(value) return cusp.tensor(value, {dtype = "int32"}) end

local function close(got, wanted)
  assert.is_true((got - cusp.tensor(wanted)):abs():max():item() < 1e-3)
end

describe("integers", function()
  it("may be scalar tensors", function()
    local four = int(4)
    close(ops.bartlett(four), {0, 2 / 3, 2 / 3, 0})
    close(ops.linspace(0, 1, four), {0, 1 / 3, 2 / 3, 1})
    close(ops.linspace(0, 1, {num = int(2)}), {0, 1})
    assert.same({7, 6, 5, 4}, (ops.top_k(cusp.arange(8), four)):tolist())
    assert.same({1, 4}, ops.one_hot(int{2}, four).shape)
    assert.same({4, 2}, ops.eye(four, int(2)).shape)
    assert.equal(4, layers.Dense(four).units)
    assert.same({2, 3}, layers.Conv2D(four, int{2, 3}).kernel_size)
  end)

  it("and are not other tensors", function()
    for _, wrong in ipairs{cusp.tensor(2.5), int{2, 3}} do
      local ok, message = pcall(ops.eye, wrong)
      assert.is_false(ok)
      assert.matches("^[^\n]*eye: argument 'N'", message)
      assert.is_false(pcall(layers.Dense, wrong))
    end
    local traced = cusp.compile(function(n) return ops.eye(n) end)
    assert.matches("eye: argument 'N'.*traced", select(2, pcall(traced, int(2))))
  end)
end)

describe("shapes", function()
  it("may be tensors of integers, or hold them", function()
    local shape = int{2, 3}
    assert.same({2, 3}, cusp.zeros(shape).shape)
    assert.same({2, 3}, ops.full(shape, 1.0).shape)
    assert.same({2, 3}, cusp.random.normal(shape).shape)
    assert.same({2, 3}, cusp.random.uniform{int(2), 3}.shape)
    assert.same({2, 3}, ops.reshape(cusp.arange(6), shape).shape)
    assert.same({2, 3}, ops.reshape(cusp.arange(6), {int(2), -1}).shape)
    assert.same({2, 3}, cusp.tensor({1, 2, 3, 4, 5, 6}, {shape = shape}).shape)
    assert.same({2, 3}, cusp.Variable{"zeros", shape = shape}.shape)
    assert.same({2, 3}, layers.Reshape(shape).target_shape)
  end)

  it("may have sizes that a symbolic tensor told", function()
    local x = cusp.Input{shape = {cusp.None, 3}}
    local y = ops.reshape(x, {ops.shape(x)[1], -1, 3})
    assert.same({cusp.None, cusp.None, 3}, y.shape)
    local model = cusp.Model{inputs = x, outputs = y}
    assert.same({2, 5, 3}, model(cusp.ones{2, 5, 3}).shape)
    assert.same({7, 2, 3}, model(cusp.ones{7, 2, 3}).shape)
    local again = cusp.models.model_from_json(model:to_json{format = "keras3"})
    assert.same({7, 2, 3}, again(cusp.ones{7, 2, 3}).shape)
    local z = cusp.Input{shape = {4, 3}}
    assert.same({cusp.None, 2, 6}, z:reshape{z.shape[1], 2, 6}.shape)
    assert.same({cusp.None, 2, 6}, ops.reshape(z, {newshape = {z.shape[1], 2, 6}}).shape)
    assert.matches("there is no size 2 in a tensor of 1 axes",
      select(2, pcall(ops.reshape, cusp.ones{6}, {2, cusp.None})))
    assert.is_false(pcall(ops.zeros, {2, cusp.None}))
  end)
end)

describe("calls", function()
  it("with nothing, or no options, at the end", function()
    local x = cusp.ones{2, 2}
    for _, call in ipairs{
      function(...) return ops.relu(x, ...) end, function(...) return ops.sum(x, 1, ...) end,
      function(...) return layers.BatchNormalization()(x, ...) end,
      function(...) return layers.Dense(2, ...)(x, ...) end,
      function(...) return cusp.zeros({2}, ...) end,
      function(...) return ops.concatenate({x, x}, 1, ...) end,
      function(...) return cusp.losses.mean_squared_error(x, x, ...) end,
      function(...) return cusp.optimizers.SGD(0.1, ...).learning_rate end,
    } do
      assert.is_truthy(call(nil))
      assert.is_truthy(call(nil, nil))
      assert.is_truthy(call{})
    end
    assert.matches("argument 'x2' is missing", select(2, pcall(ops.add, x, nil)))
  end)

  it("have Keras's names and orders", function()
    local x = cusp.ones{2}
    assert.same({2, 2}, ops.stack{x = {x, x}, axis = 2}.shape)
    assert.equal("p", layers.MaxPooling2D(2, 2, "valid", "channels_last", "p").name)
    assert.equal("p", layers.AveragePooling1D(2, 2, "valid", nil, "p").name)
    assert.equal("l", layers.StringLookup(nil, 1, nil, "[UNK]", {"a"}, nil, false, "int", false,
      false, "utf-8", "l").name)
    assert.equal("l", layers.IntegerLookup(nil, 1, nil, -1, {1, 2}, "int64", nil, false, "int",
      false, false, "floormod", nil, "l").name)
    local dropout = layers.SpatialDropout2D(0.5, "channels_last", 1, "d", "float16")
    assert.same({"d", "float16"}, {dropout.name, dropout.compute_dtype})
    assert.equal("r", layers.RandomCrop(2, 2, nil, nil, "r").name)
    assert.is_true(layers.BatchNormalization(-1, 0.9, 1e-3, true, true, "zeros", "ones", "zeros",
      "ones", nil, nil, nil, nil, true).renorm)
    assert.same({1, 1, 1},
      layers.Conv3DTranspose(1, 2, 2, "valid", "channels_first", 1).output_padding)
    assert.is_truthy(
      layers.LayerNormalization(-1, 1e-3, true, true, "zeros", "ones", "l2").beta_regularizer)
    assert.equal(3, layers.GroupQueryAttention(2, 2, 1, 0, true, 3).sliding_window)
    assert.equal(1, cusp.optimizers.Muon(0.1, 0.9, 0.9, 0.1, 1e-7, 0.1, 1.0).clipnorm)
    local metric = cusp.metrics.Metric:extend "ReferenceCallMetric" ("float16", "m")
    assert.same({"m", "float16"}, {metric.name, metric.dtype})
    assert.equal("v", metric:add_variable({2}, "ones", "int32", "sum", "v").name)
  end)

  it("of layers with values and cells", function()
    local weights = cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}
    assert.same({{3.0, 4.0}}, layers.Embedding{2, 2, weights = {weights}}(int{1}):tolist())
    assert.same({{3.0, 4.0}},
      layers.Embedding(2, 2, "uniform", nil, nil, false, {weights})(int{1}):tolist())
    local function cells() return layers.LSTMCell(2), layers.LSTMCell(3) end
    local x = cusp.ones{1, 4, 2}
    assert.same({1, 3}, layers.RNN{layers.StackedRNNCells{cells()}}(x).shape)
    assert.same({1, 3}, layers.RNN{layers.StackedRNNCells{{cells()}}}(x).shape)
    local pair = cusp.Input{shape = {3}}
    local sum = layers.Lambda(function(t) return t[1] + t[2] end, {output_shape = {3}})
    assert.same({cusp.None, 3}, sum{pair, pair}.shape)
  end)

  it("of models", function()
    local x = cusp.Input{shape = {3}}
    local a, b = layers.Dense(2)(x), layers.Dense(1)(x)
    local model = cusp.Model(x, {pitch = a, step = b, name = "both"})
    assert.equal("both", model.name)
    assert.same({1, 2}, model(cusp.ones{1, 3}).pitch.shape)
    local stack = cusp.Sequential{layers.LSTM(2), layers.Dense(1)}
    stack(cusp.ones{4, 5, 3})
    assert.same({2, 1}, stack:predict{cusp.ones{2, 9, 3}, verbose = 0}.shape)
    assert.is_false(pcall(stack, cusp.ones{2, 9, 4}))
  end)

  it("of operations", function()
    local coordinates = {cusp.tensor{0.5, 1}, cusp.tensor{0.5, 1}}
    close(ops.image.map_coordinates(cusp.arange(4):reshape{2, 2}:cast "float32", coordinates, 1),
      {1.5, 3})
    assert.same({0}, ops.diff(cusp.tensor{1, 2, 3}, 5).shape)
    assert.equal(3, ops.sort(cusp.tensor(3.0)):item())
    assert.same({0}, ops.argsort(cusp.tensor(3.0)):tolist())
    assert.equal("int32", ops.cast(cusp.tensor(1.5), "int").dtype)
    assert.equal("float32", cusp.tensor({1}, {dtype = "float"}).dtype)
    assert.equal("float32", layers.Dense{2, dtype = "float"}.compute_dtype)
    assert.is_false(ops.is_tensor{cusp.ones{1}, cusp.ones{1}})
    assert.is_true(ops.is_tensor(cusp.ones{1}))
    assert.same({0, 0}, cusp.Variable{"zeros", shape = {2}}:tolist())
    assert.same({2, 3}, cusp.Variable{cusp.initializers.GlorotUniform(), shape = {2, 3}}.shape)
  end)

  it("of circle with references", function()
    local y_pred = cusp.tensor{{1.0, 0}, {0, 1.0}, {0.6, 0.8}, {0.8, 0.6}}
    local labels, references = int{0, 1, 0, 1}, cusp.tensor{{1.0, 0}, {0, 1.0}}
    local circle = cusp.losses.circle
    close(circle(labels, y_pred, {ref_labels = int{0, 1}, ref_embeddings = references}),
      {0, 0, 38.4, 38.4})
    close(circle(labels, y_pred, {ref_labels = int{0, 1, 1, 0},
      ref_embeddings = ops.flip(y_pred, 1), remove_diagonal = false}),
      {6.4415517, 6.4415517, 67.2, 67.2})
    close(circle(labels, y_pred, int{0, 1}, references, false, 10, 0.2),
      {0.3711006, 0.3711006, 7.200746, 7.200746})
  end)

  it("of optimizers with gradients and variables", function()
    local optimizer, v = cusp.optimizers.SGD(1.0), cusp.Variable{0.0}
    optimizer:apply_gradients{{cusp.ones{1}, v}}
    optimizer:apply_gradients({cusp.ones{1}}, {v})
    optimizer:apply_gradients{grads_and_vars = {{cusp.ones{1}, v}}}
    assert.same({-3}, v:tolist())
  end)
end)

describe("data", function()
  it("of several inputs and outputs may be plain nested tables", function()
    local p, q = cusp.Input{shape = {2}}, cusp.Input{shape = {2}}
    local sum = layers.Add(){p, q}
    local outputs = {layers.Dense(1)(sum), layers.Dense(1)(sum)}
    local model = cusp.Model{inputs = {p, q}, outputs = outputs}
    model:compile{loss = "mse", optimizer = "sgd"}
    local x = {{{1, 2}, {3, 4}, {5, 6}}, {{1, 2}, {3, 4}, {5, 6}}}
    local y = {{{1}, {2}, {3}}, {{1}, {2}, {3}}}
    model:fit{x, y, validation_data = {x, y}, verbose = 0}
    model:train_on_batch(x, y)
    model:evaluate{x, y, verbose = 0}
    assert.same({3, 1}, model:predict{x, verbose = 0}[2].shape)
  end)

  it("of a PyDataset makes its own batches, whatever batch_size says", function()
    local Batches = cusp.utils.PyDataset:extend "ReferenceCallBatches"
    function Batches.__len() return 2 end
    function Batches.get_item() return cusp.ones{4, 3}, cusp.ones{4, 1} end
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(1)}
    model:compile{loss = "mse", optimizer = "sgd"}
    assert.equal(1, #model:fit{Batches(), batch_size = 2, verbose = 0}.epoch)
  end)
end)

describe("weights by name", function()
  it("say where no name is in the file", function()
    local folder = require "spec.support.folder"
    local warnings = require "cusp.base.warnings"
    local scope <close> = folder.new()
    local function make(name)
      return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense{1, name = name}}
    end
    make "first":save_weights(scope.path .. "/w.h5")
    local other = make "second"
    local path = scope.path .. "/w.h5"
    local said = warnings.collect(other.load_weights, other, path, {by_name = true})
    assert.matches("nothing was loaded: no layer of the model '[%w_]+' %(second%) has the name",
      said[1])
    local same = make "first"
    assert.same({}, (warnings.collect(same.load_weights, same, path, {by_name = true})))
  end)
end)
