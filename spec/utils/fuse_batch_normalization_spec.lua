local cusp = require "cusp"
local layers = cusp.layers
local fuse = cusp.utils.fuse_batch_normalization

local function shake(model)
  for _, weight in ipairs(model.weights) do
    weight:assign(cusp.random.uniform(weight.shape, 0.3, 1.2))
  end
  return model
end

local function check(model, count, x)
  local fused = fuse(shake(model))
  local a, b = model:predict{x, verbose = 0}, fused:predict{x, verbose = 0}
  local off = cusp.ops.max(cusp.ops.abs(a - b)) / cusp.ops.max(cusp.ops.abs(a))
  assert.is_true(off:item() < 1e-5, tostring(off:item()))
  local left = 0
  local function count_in(part)
    for _, layer in ipairs(part.layers) do
      if layer.__name == "BatchNormalization" then left = left + 1 end
      if layer.__is_model then count_in(layer) end
    end
  end
  count_in(fused)
  assert.equal(count, left)
  return fused
end

describe("fuse_batch_normalization", function()
  it("merges into every kind of layer with a kernel", function()
    for _, row in ipairs{
      {layers.Dense(3), {4}}, {layers.Dense{3, use_bias = false}, {4}},
      {layers.Conv1D{3, 2}, {6, 4}}, {layers.Conv2D{4, 2, groups = 2}, {5, 5, 4}},
      {layers.Conv3D{3, 2}, {4, 4, 4, 2}}, {layers.Conv1DTranspose{3, 2}, {5, 2}},
      {layers.Conv2DTranspose{3, 2, use_bias = false}, {5, 5, 2}},
      {layers.Conv3DTranspose{3, 2}, {3, 3, 3, 2}},
      {layers.DepthwiseConv1D{2, depth_multiplier = 2}, {5, 3}},
      {layers.DepthwiseConv2D{2, depth_multiplier = 2}, {5, 5, 3}},
      {layers.SeparableConv1D{3, 2}, {5, 4}}, {layers.SeparableConv2D{3, 2}, {5, 5, 4}},
    } do
      local shape = {2, table.unpack(row[2])}
      check(cusp.Sequential{cusp.Input{shape = row[2]}, row[1], layers.BatchNormalization()}, 0,
        cusp.random.uniform(shape))
    end
  end)

  it("does without scale or center, and goes into models within", function()
    local inner = cusp.Sequential{layers.Conv2D{3, 2}, layers.BatchNormalization{scale = false},
      layers.ReLU()}
    local inputs = cusp.Input{shape = {6, 6, 2}}
    local x = layers.Conv2D{3, 2, name = "first"}(inputs)
    x = inner(layers.BatchNormalization{center = false}(x))
    local fused = check(cusp.Model(inputs, layers.Flatten()(x)), 0, cusp.random.uniform{2, 6, 6, 2})
    assert.is_true(fused:get_layer("first").use_bias)
  end)

  it("leaves what it cannot merge", function()
    local inputs = cusp.Input{shape = {6, 6, 2}}
    local first = layers.Conv2D{3, 1}(inputs)
    local shared = layers.Conv2D{3, 1}
    local x = layers.add{
      layers.BatchNormalization()(first), first,                             -- used twice
      layers.BatchNormalization()(shared(inputs)), shared(inputs),           -- called twice
      layers.BatchNormalization()(layers.Conv2D{3, 1, activation = "relu"}(inputs)),
      layers.BatchNormalization{axis = 2}(layers.Conv2D{3, 1}(inputs)),      -- another axis
    }
    check(cusp.Model(inputs, x), 4, cusp.random.uniform{2, 6, 6, 2})
  end)

  it("does not change the model, and says what it takes", function()
    local model = cusp.Sequential{cusp.Input{shape = {4}}, layers.Dense(3),
      layers.BatchNormalization()}
    local before = model.weights[1].value:tobytes()
    fuse(model)
    assert.equal(3, #model.layers + 1)
    assert.equal(before, model.weights[1].value:tobytes())
    for _, value in ipairs{3, cusp.Sequential{layers.Dense(2)}} do
      local ok, message = pcall(fuse, value)
      assert.is_false(ok)
      assert.is_truthy(message:find "fuse_batch_normalization: expected a", message)
    end
  end)
end)
