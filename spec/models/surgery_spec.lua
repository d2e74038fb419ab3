-- Models made of parts of others: inner outputs, cuts, new heads, frozen layers.
local cusp = require "cusp"
local layers = cusp.layers

local function base_and_model()
  local inputs = cusp.Input{shape = {8, 8, 3}}
  local x = layers.Conv2D{4, 3, name = "block_1_conv"}(inputs)
  x = layers.BatchNormalization{name = "block_1_bn"}(x)
  x = layers.Dropout{0.5, name = "drop"}(x)
  x = layers.Conv2D{4, 3, name = "block_2_conv"}(x)
  x = layers.BatchNormalization{name = "block_2_bn"}(x)
  local base = cusp.Model{inputs = inputs, outputs = x, name = "base"}
  local outer = cusp.Input{shape = {8, 8, 3}}
  local head = layers.Dense{2, name = "head"}
  return base, cusp.Model(outer, head(layers.Flatten()(base(outer))))
end

local function bytes_of(model)
  local list = {}
  for i, weight in ipairs(model.weights) do list[i] = weight.value:tobytes() end
  return list
end

describe("surgery", function()
  it("gives inner outputs, cuts a model at a layer, and begins at one", function()
    local base = base_and_model()
    local x = cusp.random.uniform{2, 8, 8, 3}
    local inner = base:get_layer("block_1_bn").output
    local first = cusp.Model(base.inputs, inner)
    local second = cusp.Model(inner, base.output)
    assert.equal(3, #first.layers)
    local whole = base:predict{x, verbose = 0}
    local parts = second:predict{first:predict{x, verbose = 0}, verbose = 0}
    assert.is_true(cusp.ops.max(cusp.ops.abs(whole - parts)):item() < 1e-6)
    assert.equal(first:get_layer "block_1_conv", base:get_layer "block_1_conv")
  end)

  it("finds operations by the names that files gave them", function()
    local path = "spec/fixtures/saved_models/functional"
    local model = cusp.models.load_model(path, {compile = false})
    local operation = model:get_layer "tf.math.multiply"
    assert.same({3}, {table.unpack(operation.output.shape, 2)})
    local cut = cusp.Model(model.inputs, operation.output)
    local before = cusp.Model(model.inputs, operation.input)
    local x = cusp.ones{1, 4}
    assert.same((before:predict{x, verbose = 0} * 2):tolist(), cut:predict{x, verbose = 0}:tolist())
  end)

  it("puts another head on a network", function()
    local _, model = base_and_model()
    local features = model.layers[#model.layers - 1].output
    local other = cusp.Model(model.inputs, layers.Dense(5)(features))
    assert.same({1, 5}, {table.unpack(other:predict{cusp.ones{1, 8, 8, 3}, verbose = 0}.shape)})
    local stack = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense(3), layers.Dense(2)}
    local last = stack.layers[2]
    assert.equal(last, stack:pop())
    stack:add(layers.Dense(7))
    assert.same({1, 7}, {table.unpack(stack:predict{cusp.ones{1, 4}, verbose = 0}.shape)})
  end)

  it("leaves a frozen base and its statistics bit-equal", function()
    for _, freeze in ipairs{
      function(base) base.trainable = false end,
      function(_, model) model:set_trainable("^base/", false) end,
    } do
      local base, model = base_and_model()
      freeze(base, model)
      assert.equal(2, #model.trainable_weights)
      local before, head = bytes_of(base), bytes_of(model:get_layer "head")
      model:compile{optimizer = "adam", loss = "mse"}
      model:fit{cusp.random.uniform{16, 8, 8, 3}, cusp.ones{16, 2}, epochs = 2, verbose = 0}
      assert.same(before, bytes_of(base))
      assert.are_not.same(head, bytes_of(model:get_layer "head"))
    end
  end)

  it("trains the layers that a pattern names", function()
    local base, model = base_and_model()
    model:set_trainable(".", false)
    assert.equal(0, #model.trainable_weights)
    assert.same({"base/block_2_conv", "base/block_2_bn"}, model:set_trainable "block_2_")
    assert.equal(4, #model.trainable_weights)
    assert.is_false(base:get_layer("block_1_conv").trainable)
    model:set_trainable "^head$"
    assert.equal(6, #model.trainable_weights)
    model:set_trainable("_bn$", false)
    assert.equal(4, #model.trainable_weights)
    local before = bytes_of(base:get_layer "block_1_bn")
    model:compile{optimizer = "sgd", loss = "mse"}
    model:fit{cusp.random.uniform{16, 8, 8, 3}, cusp.ones{16, 2}, verbose = 0}
    assert.same(before, bytes_of(base:get_layer "block_1_bn"))
  end)

  it("says which patterns name nothing", function()
    local _, model = base_and_model()
    for pattern, text in pairs{nothing = "no layer of .* \"nothing\"", ["%"] = "no Lua pattern"} do
      local ok, message = pcall(model.set_trainable, model, pattern)
      assert.is_false(ok)
      assert.is_truthy(message:find("set_trainable: .*" .. text), message)
    end
    assert.has_error(function() model:set_trainable() end)
  end)
end)
