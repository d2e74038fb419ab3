-- model(x) again and again: from the third call it may run from a plan, which must not be seen.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local function plans_of(model) return model.__own.calls and model.__own.calls.plans.count or 0 end

local function near(expected, result)
  assert.same(expected.shape, result.shape)
  assert.is_true(ops.max(ops.abs(expected - result)):item() < 1e-5)
end

local function new_model()
  return cusp.Sequential{cusp.Input{4}, layers.Dense{8, activation = "relu"},
    layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense{3, activation = "softmax"}}
end

describe("a call of a model", function()
  local x

  before_each(function()
    cusp.random.set_seed(3)
    x = cusp.random.normal{5, 4}
  end)

  it("runs from a plan from the third on, for each form of inputs", function()
    local model = new_model()
    local first = model(x)
    for _ = 1, 4 do near(first, model(x)) end
    assert.equal(1, plans_of(model))
    for _ = 1, 3 do near(first, model(x, {training = false})) end
    assert.equal(2, plans_of(model))
    local other = cusp.random.normal{2, 4}
    first = model(other)
    for _ = 1, 3 do near(first, model(other)) end
    near(first, model:predict_on_batch(other))
    assert.equal(3, plans_of(model))
  end)

  it("sees other weights, and another model", function()
    local model = new_model()
    for _ = 1, 4 do model(x) end
    local dense = model.layers[1]
    dense.kernel:assign(dense.kernel * 2 + 1)
    near(model:predict_on_batch(x), model(x))
    dense.activation = cusp.activations.tanh
    near(model:predict_on_batch(x), model(x))
    for _ = 1, 3 do near(model:predict_on_batch(x), model(x)) end
    local batch_normalization = model.layers[2]
    batch_normalization.moving_mean:assign(cusp.ones{8})
    near(model:predict_on_batch(x), model(x))
  end)

  it("is traced by a tape, by compile and by symbolic tensors as ever", function()
    local model = new_model()
    for _ = 1, 4 do model(x) end
    local tape <close> = cusp.GradientTape()
    local loss = ops.sum(model(x) ^ 2)
    for _, gradient in ipairs(tape:gradient(loss, model.trainable_variables)) do
      assert.is_true(gradient and ops.any(gradient ~= nil):item())
    end
    near(model(x), cusp.compile(function(t) return model(t) end)(x))
    local input = cusp.Input{4}
    near(model(x), cusp.Model{input, model(input)}(x))
    local slope = cusp.grad(function(t) return ops.sum(model(t) ^ 2) end)(x)
    assert.is_true(ops.max(ops.abs(slope)):item() > 0)
  end)

  it("trains where it is told to", function()
    local model = new_model()
    for _ = 1, 4 do model(x) end
    local mean = model.layers[2].moving_mean
    local before = mean:tolist()
    local a, b = model(x, {training = true}), model(x, {training = true})
    assert.is_true(ops.max(ops.abs(a - b)):item() > 0)
    assert.not_same(before, mean:tolist())
  end)

  it("runs the user's own functions each time", function()
    local calls = 0
    local Counter = layers.Layer:extend("Counter", {call = function(_, inputs)
      calls = calls + 1
      return inputs
    end})
    local function identity(t)
      calls = calls + 1
      return t
    end
    for _, layer in ipairs{
      Counter(), layers.Lambda(identity), layers.Dense{4, activation = identity},
      layers.TimeDistributed(Counter()), layers.RNN(layers.LSTMCell(4, {activation = identity})),
    } do
      local inputs = x
      local shape = {4}
      if layer.__name == "TimeDistributed" or layer.__name == "RNN" then
        inputs, shape = x:reshape{5, 1, 4}, {1, 4}
      end
      local model = cusp.Sequential{cusp.Input{shape = shape}, layer}
      for _ = 1, 3 do model(inputs) end
      local before = calls
      model(inputs)
      assert.is_true(calls > before)
      assert.equal(0, plans_of(model))
    end
    local model = new_model()
    for _ = 1, 4 do model(x) end
    local dense = model.layers[1]
    dense.activation = identity
    for _ = 1, 4 do
      local before = calls
      model(x)
      assert.is_true(calls > before)
    end
  end)

  it("leaves losses and masks behind", function()
    local regular = cusp.Sequential{cusp.Input{4}, layers.Dense{3, activity_regularizer = "l2"}}
    for i = 1, 4 do
      regular(x * i)
      local outputs = regular.layers[1](x * i)
      assert.equal(1, #regular.losses)
      assert.near(0.01 * ops.sum(outputs ^ 2):item() / 5, regular.losses[1]:item(), 1e-3)
    end
    local masked = cusp.Sequential{cusp.Input{3}, layers.Embedding{6, 2, mask_zero = true}}
    local tokens = cusp.tensor{{1, 2, 0}}
    for _ = 1, 4 do
      local pooled = layers.GlobalAveragePooling1D()(masked(tokens))
      near(ops.mean(masked(tokens):slice{{}, {1, 2}}, 2), pooled)
    end
  end)

  it("takes and gives several tensors, in lists and by name", function()
    local a, b = cusp.Input{shape = {4}, name = "a"}, cusp.Input{shape = {4}, name = "b"}
    local outputs = {sum = layers.Add(){a, b}, product = layers.Multiply(){a, b}}
    local model = cusp.Model{inputs = {a = a, b = b}, outputs = outputs}
    local y = cusp.random.normal{5, 4}
    for _ = 1, 4 do
      local result = model{a = x, b = y}
      near(x + y, result.sum)
      near(x * y, result.product)
      near(x * x, model{b = x, a = x}.product)
    end
    assert.equal(1, plans_of(model))
    local list = cusp.Model{inputs = {a, b}, outputs = layers.Subtract(){a, b}}
    for _ = 1, 4 do near(x - y, list{x, y}) end
    assert.equal(1, plans_of(list))
    for _ = 1, 4 do near(x - 1, list{x, cusp.ones{5, 4}}) end
  end)

  it("keeps the state of recurrent layers", function()
    local function make()
      cusp.random.set_seed(1)
      local input = cusp.Input{batch_shape = {5, 2, 4}}
      return cusp.Model{input, layers.LSTM(3, {stateful = true})(input)}
    end
    local model, single = make(), make()
    local steps = ops.stack({x, -x}, {axis = 2})
    for _ = 1, 5 do near(single.layers[2](steps), model(steps)) end
  end)

  it("raises the same errors", function()
    local model = new_model()
    for _ = 1, 4 do model(x) end
    for _ = 1, 4 do
      local ok, message = pcall(model, cusp.ones{5, 3})
      assert.is_false(ok)
      assert.matches("should have shape", tostring(message))
    end
    near(model:predict_on_batch(x), model(x))
  end)

  it("is run as it is where the model is", function()
    local model = new_model()
    model.run_eagerly = true
    for _ = 1, 4 do model(x) end
    assert.equal(0, plans_of(model))
  end)
end)
