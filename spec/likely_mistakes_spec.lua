--- The likeliest mistakes of those who come from Keras, NumPy, Torch7 and PyTorch, with what each
-- is told: what was expected, what came, what to write.
local cusp = require "cusp"
local warnings = require "cusp.base.warnings"

-- Lines of the user's, and a pattern of the message.
local told = {
  {"layers.Dens{3}", "field 'Dens'%); did you mean 'Dense'%?"},
  {"return layers.Dens{3}", "did you mean 'Dense'"},
  {"ops.summ(x)", "did you mean 'sum'"},
  {"cusp.Sequentail{}", "did you mean 'Sequential'"},
  {"cusp.random.unifrom({2})", "did you mean 'uniform'"},
  {"cusp.utils.to_categoricl({1})", "did you mean 'to_categorical'"},
  {"cusp.Dense(3)", "it is cusp.layers.Dense"},
  {"layers.Adam()", "it is cusp.optimizers.Adam"},
  {"ops.resize(x)", "it is cusp.ops.image.resize"},
  {"ops.reduce_mean(x)", "in Cusp: ops.mean"},
  {"ops.concat{x, x}", "in Cusp: ops.concatenate"},
  {"layers.Linear(3)", "in Cusp: layers.Dense"},
  {"cusp.manualSeed(1)", "in Cusp: cusp.random.set_seed"},
  {"x:size()", "in Cusp: t.shape"},
  {"x:cuda()", "on the CPU"},
  {"x:unsqueeze(1)", "in Cusp: t:expand_dims"},
  {"x:view(3, 2)", "t:reshape{3, 2}"},
  {"local n = x.shpe", "did you mean 'shape'"},
  {"local n = x.shpe[1]", "did you mean 'shape'"},
  {"local n = cusp.Variable(1).valeu", "did you mean 'value'"},
  {"local n = x.shape[-1]", "shape%[#shape%] is the last one"},
  {"local n = x.shape[0]", "count from 1"},
  {"x[1] = 3", "tensors are values"},
  {"x:sum(0)", "axes count from 1"},
  {"x:sum(3)", "axis 3 is out of range"},
  {"local n = x[0]", "indices count from 1"},
  {"x.sum()", "a method takes a colon"},
  {"ops:sum(x)", "cusp.ops %(its functions are called with a dot"},
  {"cusp.zeros(2, 3)", "cusp.zeros{2, 3}"},
  {"x:reshape(3, 2)", "t:reshape{3, 2}"},
  {"x:transpose(2, 1)", "t:transpose{2, 1}"},
  {"cusp.random.uniform(2, 3)", "random.uniform{2, 3}"},
  {"cusp.random.normal(2, 3)", "random.normal{2, 3}"},
  {"cusp.random.uniform({-1})", "random.uniform: expected a shape"},
  {"layers:Dense(3)", "write it with a dot, cusp.layers.Dense"},
  {"layers.Dense:new(3)", "Dense: there is no `new`; call the class"},
  {"layers.Dense{3, actvation = 'relu'}", "did you mean 'activation'"},
  {"layers.Dense{3, activation = 'relv'}", "did you mean 'relu'"},
  {"layers.Conv2D{4, 3, out_channels = 3}", "did you mean 'filters'"},
  {"layers.Conv2D{4, 3, stride = 2}", "did you mean 'strides'"},
  {"cusp.optimizers.Adam{eps = 0.1}", "did you mean 'epsilon'"},
  {"d{x}", "call it as layer%(x%), with parentheses"},
  {"d(cusp.ones{3})", "x:expand_dims%(1%)"},
  {"layers.Conv2D(2, 2)(cusp.ones{28, 28, 1})", "x:expand_dims%(1%)"},
  {"d.build{2, 3}", "write it with a colon"},
  {"d.call(x)", "write it with a colon"},
  {"d.get_weights()", "write it with a colon"},
  {"layers.Layer:call(x)", "on an object, not on the class"},
  {"m.add(d)", "write it with a colon"},
  {"m.fit{x, y}", "write it with a colon"},
  {"m.predict(x)", "write it with a colon"},
  {"opt.apply({x}, {x})", "write it with a colon"},
  {"m:fitt{x, y}", "did you mean 'fit'"},
  {"m:parameters()", "in Cusp: model.weights"},
  {"m:fit{x, {'a', 'b'}}", "StringLookup"},
  {"m:fit{x, y, validation_data = x, verbose = 0}", "validation_data should be {x, y}"},
  {"m:predict{1, 2, 3}", "got number 1"},
  {"m:fit{x, cusp.ones{2, 5}, verbose = 0}", "do not fit predictions"},
  {"m:compile{optimizer = 'adm', loss = 'mse'}", "did you mean 'Adam'"},
  {"m:compile{loss = 'msee'}", "did you mean 'mse'"},
  {"cusp.Sequential(d, d)", "expected a list of layers"},
  {"cusp.Sequential{d}:fit{x, y}", "compiled first"},
  {"m:fit{x, x, y}", "several inputs or targets go in one list, as in {a, b}"},
  {"m:evaluate{x, x, y}", "several inputs or targets go in one list"},
  {"m:predict{x, y}", "several inputs go in one list, predict%({a, b}%)"},
  {"m:fit{x, y, batch = 2}", "did you mean 'batch_size'"},
  {"m:fit(nil, y)", "fit: x is missing"},
  {"m:fit{x, y, callbacks = {{on_epoch_end = 3}}}", "on_epoch_end should be a function"},
  {"m:compile{loss = function() end} m:fit{x, y, verbose = 0}", "loss function returned nothing"},
  {"m:compile{loss = 'mse', metrics = {function() return 'a' end}} m:fit{x, y, verbose = 0}",
    "metric function returned string \"a\""},
  {"m:fit{cusp.data.Dataset.from_tensor_slices({x, y}), verbose = 0}", "dataset:batch%(n%)"},
  {"m:save()", "argument 'filepath' is missing$"},
  {"m:get_layer('x')", "there is no layer named \"x\""},
  {"m:get_layer(7)", "there is no layer 7; the model has 1$"},
  {"cusp.Model(cusp.Input{3}, 3)", "outputs should be symbolic tensors, got number 3"},
  {"cusp.Input()", "Input: needs a shape"},
  {"layers.add(x, x)", "add: expected a list of tensors, add{a, b}, got tensor"},
  {"layers.TimeDistributed(3)", "TimeDistributed: argument 'layer'"},
  {"layers.MultiHeadAttention{2, 2}(cusp.ones{2, 5, 3}, x)", "of as many axes, got %[2, 5, 3%]"},
  {"ops.einsum('ij,jk->ik', x)", ": einsum: \"ij,jk%->ik\" does not have"},
  {"cusp.losses.MeanSquaredError()(x)", "MeanSquaredError: argument 'y_pred' is missing"},
  {"cusp.initializers.GlorotUniform()('a')", "GlorotUniform: argument 'shape'"},
  {"cusp.initializers.get('glorot')", "did you mean 'GlorotNormal'"},
  {"cusp.utils.set_random_seed('a')", "set_random_seed: expected an integer"},
  {"cusp.data.from_tensor_slices(x)", "in Cusp: data.Dataset.from_tensor_slices"},
  {"cusp.activations.relu()", "argument 'x' is missing$"},
  {"ops.stack{x, y}", "stack: tensor 2 has shape"},
  {"ops.relu({x, y})", "relu: argument 'x': tensor 2 has shape %[2, 2%]"},
  {"layers.Embedding(5, 2)(cusp.tensor{{7}}):tolist()", "%(Embedding%): .* 7, but input_dim = 5"},
  {"ops.take(x, 10, {axis = 1}):tolist()", "take %(made at .*%): index 10"},
  {"ops.inv(cusp.zeros{2, 2}):tolist()", "inv %(made at .*the matrix is singular"},
  {"ops.cholesky(x)", "cholesky: expected square matrices"},
  {"ops.einsum('ij,jk', x)", ": einsum: "},
  {"cusp.load '/no/such/file.npy'", "cusp.load: /no/such/file.npy: No such file"},
  {"cusp.numpy.load '/no/such/file.npy'", ": /no/such/file.npy: No such file"},
  {"local s = 'x' .. {} .. x", "attempt to concatenate"},
}

local function environment()
  local layers = cusp.layers
  local m = cusp.Sequential{cusp.Input{3}, layers.Dense(2)}
  m:compile{optimizer = "sgd", loss = "mse"}
  return setmetatable({cusp = cusp, layers = layers, ops = cusp.ops, x = cusp.ones{2, 3},
    y = cusp.ones{2, 2}, d = layers.Dense(3), m = m, opt = cusp.optimizers.Adam()}, {__index = _G})
end

local function message_of(line)
  local ok, message = pcall(assert(load(line, "=line", "t", environment())))
  assert.is_false(ok, line)
  return message
end

describe("a likely mistake is told", function()
  for _, case in ipairs(told) do
    it(case[1], function() assert.matches(case[2], message_of(case[1])) end)
  end
end)

describe("an unknown name", function()
  it("that is indexed is told in the message of a script or an input", function()
    local errors = require "cusp.base.errors"
    local function told_of(line) return errors.with_nearest_name(message_of(line)) end
    assert.matches("field 'optimizer'%); did you mean 'optimizers'%?$",
      told_of "cusp.optimizer.Adam()")
    assert.matches("in Cusp: cusp.layers$", told_of "cusp.nn.Linear(3)")
    assert.matches("did you mean 'uniform'%?$", told_of "return cusp.random.unifrm.x")
    assert.matches("field 'optimizers'%)$", told_of "local t = {} return t.optimizers.Adam")
  end)

  it("of a namespace is nil to read", function()
    assert.is_nil(cusp.layers.Dens)
    assert.is_nil(cusp.ops.summ)
    assert.is_nil(cusp.Sequentail)
    assert.is_nil(cusp.random.unifrom)
    assert.is_nil(cusp.ones{2}.nothing)
  end)

  it("that is none of the library's has Lua's own message", function()
    local lines = {"nothing()", "local t = {} t.sum()", "local t = {} t:summ()", "(nil)()"}
    for _, line in ipairs(lines) do
      assert.matches("^line:1: attempt to call a nil value[^;]*$", message_of(line))
    end
    assert.equal("attempt to call a nil value", select(2, pcall(nil)))
    assert.is_false(getmetatable(nil))
  end)
end)

describe("a new field of an object", function()
  local function warned(f) return table.concat((warnings.collect(f)), "\n") end

  it("with almost the name of one that there is, is told", function()
    local d = cusp.layers.Dense(3)
    assert.matches("Dense has no field 'trainabel'.*'trainable'", warned(function()
      d.trainabel = false
    end))
    local opt = cusp.optimizers.Adam()
    assert.matches("'learning_rate'", warned(function() opt.learnig_rate = 0.1 end))
    assert.matches("'trainable'", warned(function() cusp.Sequential{}.trainble = true end))
  end)

  it("is free otherwise, and in the program's own classes", function()
    local d, Own = cusp.layers.Dense(3), cusp.layers.Dense:extend "OwnDense"
    local own = Own(3)
    assert.equal("", warned(function()
      d.note, d.trainable, own.trainabel = "mine", false, true
    end))
  end)
end)

describe("a namespace", function()
  it("is gone through as a whole by pairs", function()
    local seen = {}
    for name, value in pairs(cusp.layers) do seen[name] = value end
    assert.equal(cusp.layers.Dense, seen.Dense)
    assert.is_function(seen.deserialize)
    local count = 0
    for _ in pairs(cusp.ops) do count = count + 1 end
    assert.is_true(count > 250)
  end)
end)

describe("a shape", function()
  local a, b = cusp.ones{2, 3}, cusp.ones{2, 3}

  it("prints, compares and concatenates", function()
    assert.equal("[2, 3]", tostring(a.shape))
    assert.is_true(a.shape == b.shape)
    assert.is_true(a.shape == {2, 3})
    assert.is_false(cusp.tensor(1).shape == cusp.null)
    assert.is_false(a.shape == cusp.ones{3, 2}.shape)
    assert.equal("a [2, 3] b []", "a " .. a.shape .. " b " .. cusp.tensor(1).shape)
    assert.equal("[None, 3]", tostring(cusp.Input{3}.shape))
    assert.is_true(cusp.Input{3}.shape == cusp.shape{cusp.None, 3})
  end)

  it("stays a list", function()
    assert.same({2, 3}, {table.unpack(a.shape)})
    assert.equal("[2, 3]", cusp.json.encode(a.shape))
    assert.equal("[]", cusp.json.encode(cusp.tensor(1).shape))
    assert.same({2, 3}, cusp.ones(a.shape).shape)
    assert.is_nil(a.shape[3])
  end)
end)

describe("tensors and variables in texts", function()
  it("are their number, or what print shows", function()
    assert.equal("loss 0.5", "loss " .. cusp.tensor(0.5))
    assert.equal("3 rows", cusp.Variable(3, {dtype = "int32"}) .. " rows")
    assert.matches("^t tensor%(%[1, 2%]", "t " .. cusp.tensor{1, 2})
  end)
end)

describe("targets that are repeated along an axis", function()
  it("are told once", function()
    local m = cusp.Sequential{cusp.Input{3}, cusp.layers.Dense(1)}
    m:compile{optimizer = "sgd", loss = "mse"}
    local list = warnings.collect(function()
      m:fit{cusp.ones{2, 3}, cusp.ones{2, 5}, epochs = 2, verbose = 0}
    end)
    assert.equal(1, #list)
    assert.matches("y of shape %[2, 5%]", list[1])
  end)
end)
