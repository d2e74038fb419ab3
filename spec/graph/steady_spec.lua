-- What a compiled function computes of variables that it does not assign, and the kernels that its
-- convolutions keep, are always those of the present values.
local cusp = require "cusp"
local engine = require "cusp.engine"

local layers, ops, random = cusp.layers, cusp.ops, cusp.random

local function largest_difference(a, b)
  return ops.max(ops.abs(ops.cast(a, "float64") - ops.cast(b, "float64"))):item()
end

local function assert_near(expected, actual, tolerance)
  assert.same(expected.shape, actual.shape)
  local scale = math.max(1, ops.max(ops.abs(expected)):item())
  assert.is_true(largest_difference(expected, actual) <= (tolerance or 2e-5) * scale)
end

-- Gives every weight, statistics among them, a value that does something.
local function stir(model)
  for _, weight in ipairs(model.weights) do
    weight:assign(random.uniform(weight.shape, 0.5, 1.5))
  end
end

local function assert_predicts(model, x)
  assert_near(model(x, {training = false}), model:predict{x, verbose = 0})
end

local function normalised_model()
  local input = cusp.Input{shape = {9, 9, 8}}
  local y = layers.Conv2D{24, 3, padding = "same"}(input)
  y = layers.Activation{"relu"}(layers.BatchNormalization{}(y))
  y = layers.DepthwiseConv2D{3, use_bias = false}(layers.ZeroPadding2D{2}(y))
  y = layers.BatchNormalization{scale = false}(y)
  y = layers.BatchNormalization{center = false}(layers.Conv2D{6, 1, strides = 2}(y))
  return cusp.Model(input, layers.Dense{4}(layers.GlobalAveragePooling2D{}(y)))
end

describe("steady values", function()
  it("are made again after each assignment", function()
    local scale, offset = cusp.Variable{2.0, 3.0}, cusp.Variable{1.0, 1.0}
    local f = cusp.compile(function(x) return x * (ops.exp(scale) + offset) end)
    for _, value in ipairs{2.0, 5.0, -1.0} do
      assert_near(ops.exp(scale) + offset, f(ops.ones{2}))
      scale:assign{value, value / 2}
      assert_near(ops.exp(scale) + offset, f(ops.ones{2}))
      offset:assign{value, 0.0}
    end
  end)

  it("are made again after another function has overwritten a variable", function()
    local scale = cusp.Variable{2.0, 3.0}
    local read = cusp.compile(function(x) return x * ops.exp(scale) end)
    local write = cusp.compile(function(x) scale:assign(scale + x) end)
    for _ = 1, 4 do
      assert_near(ops.exp(scale), read(ops.ones{2}))
      write(ops.ones{2} * 0.25)
    end
  end)

  it("are not what the function itself has assigned", function()
    local count = cusp.Variable(0.0)
    local f = cusp.compile(function(x)
      local before = ops.exp(count) * x
      count:assign(count + 1)
      return before
    end)
    for round = 0, 3 do assert.near(math.exp(round), f(ops.ones{}):item(), 1e-4) end
  end)

  it("do not change in results that were given out", function()
    local scale = cusp.Variable{2.0, 3.0}
    local f = cusp.compile(function(x) return x, ops.exp(scale) end)
    local _, first = f(ops.ones{2})
    local kept = first:tolist()
    scale:assign{0.0, 0.0}
    local _, second = f(ops.ones{2})
    assert.same(kept, first:tolist())
    assert.same({1.0, 1.0}, second:tolist())
  end)

  it("are views and scalars as well as arrays", function()
    local table_of = cusp.Variable(random.normal{6, 4})
    local f = cusp.compile(function(x)
      return ops.matmul(x, ops.transpose(table_of * 2)) + ops.sum(table_of)
    end)
    local x = random.normal{3, 4}
    local function expected()
      return ops.matmul(x, ops.transpose(table_of * 2)) + ops.sum(table_of)
    end
    assert_near(expected(), f(x))
    table_of:assign(random.normal{6, 4})
    assert_near(expected(), f(x))
  end)

  it("are left where they are for random numbers", function()
    local shape = cusp.Variable(ops.ones{64})
    local generator = random.SeedGenerator(3)
    local f = cusp.compile(function()
      return random.normal(shape.shape, 0, 1, {seed = generator}) * shape
    end)
    assert.is_true(largest_difference(f(), f()) > 0)
  end)
end)

describe("a model with convolutions and normalisation", function()
  local model, x

  before_each(function()
    random.set_seed(7)
    model, x = normalised_model(), random.normal{5, 9, 9, 8}
    stir(model)
  end)

  it("predicts what it computes eagerly", function() assert_predicts(model, x) end)

  it("predicts with the weights that it has now", function()
    for _ = 1, 3 do
      assert_predicts(model, x)
      stir(model)
    end
    model.layers[2].kernel:assign(model.layers[2].kernel * 2)
    assert_predicts(model, x)
    model:set_weights(normalised_model():get_weights())
    assert_predicts(model, x)
  end)

  it("predicts with what training made of the weights", function()
    model:compile{optimizer = cusp.optimizers.SGD(0.01), loss = "mse"}
    for _ = 1, 3 do
      assert_predicts(model, x)
      model:fit{x, random.normal{5, 4}, epochs = 2, verbose = 0}
    end
    assert_predicts(model, x)
  end)

  it("keeps each packed kernel once for all batches, and none when it has changed", function()
    local input = cusp.Input{shape = {6, 6, 128}}
    local wide = cusp.Model(input, layers.Conv2D{256, 3}(input))
    local images, bytes = random.normal{4, 6, 6, 128}, 4 * wide:count_params()
    wide:compile{optimizer = cusp.optimizers.SGD(0.01), loss = "mse"}
    local function held()
      collectgarbage()
      collectgarbage()
      return engine.memory().live
    end
    local function predict(count) return wide:predict{images:slice{{1, count}}, verbose = 0} end
    wide:fit{images, random.normal{4, 4, 4, 256}, verbose = 0}
    local before = held()
    predict(4)
    local packed = held() - before
    predict(3)
    assert.is_true(packed < bytes * 1.5)
    assert.is_true(held() - before - packed < bytes / 2)
    wide:fit{images, random.normal{4, 4, 4, 256}, verbose = 0}
    assert.is_true(held() - before < bytes / 2)
  end)

  it("keeps each kernel with its scale once for all batches, and none for one position", function()
    local input = cusp.Input{shape = {3, 3, 256}}
    local y = layers.BatchNormalization{}(layers.Conv2D{256, 1}(input))
    y = layers.BatchNormalization{}(layers.Conv2D{128, 3}(y))
    local scaled = cusp.Model(input, y)
    local images, bytes = random.normal{4, 3, 3, 256}, 4 * scaled:count_params()
    local function held()
      collectgarbage()
      collectgarbage()
      return engine.memory().live
    end
    local function predict(count) return scaled:predict{images:slice{{1, count}}, verbose = 0} end
    stir(scaled)
    local before = held()
    predict(1)
    assert.is_true(held() - before < bytes * 0.6)
    predict(4)
    local both = held() - before
    predict(3)
    predict(2)
    assert.is_true(held() - before - both < bytes / 4)
    assert_near(scaled(images, {training = false}), predict(4))
  end)

  it("trains with frozen layers", function()
    for i = 1, 4 do model.layers[i].trainable = false end
    model:compile{optimizer = cusp.optimizers.SGD(0.01), loss = "mse"}
    local y = random.normal{5, 4}
    local eager = cusp.models.clone_model(model)
    eager:set_weights(model:get_weights())
    for i = 1, 4 do eager.layers[i].trainable = false end
    eager:compile{optimizer = cusp.optimizers.SGD(0.01), loss = "mse", run_eagerly = true}
    for _, each in ipairs{model, eager} do
      each:fit{x, y, epochs = 3, shuffle = false, verbose = 0}
    end
    local a, b = model:get_weights(), eager:get_weights()
    for i = 1, #a do assert_near(b[i], a[i], 1e-4) end
  end)
end)

describe("a product whose right factor is kept", function()
  for _, rows in ipairs{1, 2, 5, 12, 13, 25, 40, 96, 97} do
    it(("is right for %d rows, before and after an assignment"):format(rows), function()
      local kernel = cusp.Variable(random.normal{300, 170})
      local f = cusp.compile(function(x) return ops.matmul(x, kernel) end)
      local x = random.normal{rows, 300}
      for _ = 1, 2 do
        local exact = ops.matmul(ops.cast(x, "float64"), ops.cast(kernel, "float64"))
        assert_near(ops.cast(exact, "float32"), f(x))
        kernel:assign(random.normal{300, 170})
      end
    end)
  end

  it("may be too large to be kept", function()
    local kernel = cusp.Variable(random.normal{2100, 2010})
    local f = cusp.compile(function(x) return ops.matmul(x, kernel) end)
    for _, rows in ipairs{1, 3, 14} do
      local x = random.normal{rows, 2100}
      local exact = ops.matmul(ops.cast(x, "float64"), ops.cast(kernel, "float64"))
      assert_near(ops.cast(exact, "float32"), f(x), 1e-4)
    end
    local input = cusp.Input{shape = {1, 2, 2100}}
    local model = cusp.Model(input, layers.BatchNormalization{}(layers.Conv2D{2010, 1}(input)))
    stir(model)
    assert_predicts(model, random.normal{2, 1, 2, 2100})
  end)

  it("has the same numbers with one thread and two", function()
    local threads = engine.get_num_threads()
    local kernel = cusp.Variable(random.normal{1153, 330})
    for _, rows in ipairs{1, 2, 5} do
      local results = {}
      local x = random.normal{rows, 1153}
      for count = 1, 2 do
        engine.set_num_threads(count)
        results[count] = cusp.compile(function(a) return ops.matmul(a, kernel) end)(x)
      end
      engine.set_num_threads(threads)
      assert.are.equal(0, largest_difference(results[1], results[2]))
    end
  end)

  it("takes left factors that are views", function()
    local kernel = cusp.Variable(random.normal{300, 170})
    local f = cusp.compile(function(x)
      return ops.matmul(ops.transpose(x), kernel), ops.matmul(x:slice{{}, 1}, kernel)
    end)
    local x = random.normal{300, 6}
    local first, second = f(x)
    assert_near(ops.matmul(ops.transpose(x), kernel), first)
    assert_near(ops.matmul(x:slice{{}, 1}, kernel), second)
  end)
end)

describe("kernels that are parts of one tensor", function()
  -- Each part is a view with bytes of its own; eager calls with them share a plan.
  local function parts_of(shape)
    local parts = ops.unstack(random.normal{3, table.unpack(shape)})
    for _, part in ipairs(parts) do part:tolist() end
    return parts
  end

  it("are told apart by convolutions", function()
    for _, case in ipairs{{{4, 6, 6, 8}, {3, 3, 8, 16}}, {{2, 1, 1, 96}, {1, 1, 96, 100}}} do
      local x = random.normal(case[1])
      for _, kernel in ipairs(parts_of(case[2])) do
        local exact = ops.conv(ops.cast(x, "float64"), ops.cast(kernel, "float64"))
        assert_near(ops.cast(exact, "float32"), ops.conv(x, kernel))
      end
    end
  end)

  it("are told apart by products", function()
    local x = random.normal{3, 200}
    for _, kernel in ipairs(parts_of{200, 180}) do
      local exact = ops.matmul(ops.cast(x, "float64"), ops.cast(kernel, "float64"))
      assert_near(ops.cast(exact, "float32"), ops.matmul(x, kernel))
    end
  end)
end)

---------------------------------------------------------------- geometries

-- Each: class, its arguments, and the shape of an image.
local geometries = {
  {"Conv1D", {6, 3, padding = "same"}, {7, 4}},
  {"Conv1D", {6, 5, padding = "causal", dilation_rate = 2}, {3, 4}},
  {"Conv2D", {16, 3, padding = "same"}, {1, 1, 16}},
  {"Conv2D", {16, 3, padding = "same"}, {2, 1, 16}},
  {"Conv2D", {16, 5, padding = "same"}, {2, 2, 16}},
  {"Conv2D", {16, {3, 7}, padding = "same"}, {2, 3, 16}},
  {"Conv2D", {16, 3, padding = "same", dilation_rate = 3}, {3, 2, 16}},
  {"Conv2D", {16, 3, padding = "same", dilation_rate = 2}, {2, 5, 16}},
  {"Conv2D", {16, 3, padding = "same", strides = 2}, {2, 2, 16}},
  {"Conv2D", {16, 4, padding = "same", strides = 3}, {3, 4, 16}},
  {"Conv2D", {16, 3, padding = "same", groups = 4}, {1, 2, 8}},
  {"Conv2D", {5, 3, padding = "same"}, {1, 4, 3}},
  {"Conv2D", {32, 3, strides = 2}, {9, 8, 3}},
  {"Conv2D", {100, 1}, {1, 1, 96}},
  {"Conv2D", {250, 1}, {3, 1, 40}},
  {"Conv2D", {65, 3, padding = "same"}, {1, 1, 70}},
  {"Conv2D", {72, 1, strides = 2}, {2, 2, 64}},
  {"Conv2D", {72, 1, strides = 2}, {3, 2, 64}},
  {"Conv2D", {33, {1, 2}, padding = "same"}, {5, 1, 130}},
  {"Conv2D", {200, 3, padding = "same"}, {2, 2, 120}},
  {"Conv2D", {200, 3}, {3, 3, 120}},
  {"Conv2D", {90, 1, strides = 2}, {7, 6, 64}},
  {"Conv1D", {200, 3, padding = "causal"}, {1, 64}},
  {"Conv2D", {130, 3, padding = "same"}, {2, 2, 240}},
  {"Conv2D", {600, 1}, {5, 3, 450}},
  {"Conv2D", {128, {3, 2}, padding = "same", strides = 2, dilation_rate = 1}, {3, 4, 350}},
  {"Conv2D", {128, 3, padding = "same", dilation_rate = 2}, {2, 4, 240}},
  {"Conv1D", {256, 5, padding = "causal"}, {6, 210}},
  {"Conv3D", {8, 3, padding = "same"}, {1, 2, 3, 4}},
  {"DepthwiseConv2D", {3, padding = "same", depth_multiplier = 2}, {1, 2, 8}},
  {"DepthwiseConv2D", {5, padding = "same"}, {2, 2, 16}},
  {"SeparableConv2D", {8, 3, padding = "same"}, {2, 2, 16}},
  {"Conv2DTranspose", {8, 3, strides = 2, padding = "same"}, {2, 3, 4}},
}

local function name_of(geometry)
  return geometry[1] .. " of " .. table.concat(geometry[3], " x ") .. ", case " .. geometry.case
end

-- The layer with a normalisation behind it; in float64 the plain loops compute it.
local function ended_model(geometry, dtype)
  local arguments = {dtype = dtype}
  for key, value in pairs(geometry[2]) do arguments[key] = value end
  local input = cusp.Input{shape = geometry[3], dtype = dtype}
  local y = layers[geometry[1]](arguments)(input)
  y = layers.BatchNormalization{dtype = dtype}(y)
  return cusp.Model(input, layers.Activation{"relu", dtype = dtype}(y))
end

local function assert_predicts_as(exact, model, x)
  exact:set_weights(model:get_weights())
  local expected = exact(ops.cast(x, "float64"), {training = false})
  assert_near(expected, model:predict{x, verbose = 0})
  assert_near(expected, model(x, {training = false}))
end

describe("a convolution with its ending", function()
  for case, geometry in ipairs(geometries) do
    geometry.case = case
    it("equals the operations one by one: " .. name_of(geometry), function()
      random.set_seed(case)
      local model, exact = ended_model(geometry), ended_model(geometry, "float64")
      for _, batch in ipairs{3, 1, 3} do
        stir(model)
        assert_predicts_as(exact, model, random.normal{batch, table.unpack(geometry[3])})
      end
    end)
  end

  it("takes zeros around its input as padding, but no more than a window", function()
    for _, zeros in ipairs{1, 2, 4, {{0, 3}, {2, 1}}} do
      for _, padding in ipairs{"same", "valid"} do
        local input = cusp.Input{shape = {6, 5, 16}}
        local y = layers.ZeroPadding2D{zeros}(input)
        y = layers.Conv2D{16, 3, padding = padding, strides = 2}(y)
        assert_predicts(cusp.Model(input, y), random.normal{2, 6, 5, 16})
      end
    end
  end)

  it("is not taken from what others read, nor from another axis", function()
    local input = cusp.Input{shape = {4, 4, 4}}
    local y = layers.Conv2D{4, 3, padding = "same"}(input)
    local by_row = layers.BatchNormalization{axis = 2}(y)
    local model = cusp.Model(input, {layers.BatchNormalization{}(y), by_row, y})
    stir(model)
    local x = random.normal{2, 4, 4, 4}
    local expected, predicted = model(x, {training = false}), model:predict{x, verbose = 0}
    for i = 1, 3 do assert_near(expected[i], predicted[i]) end
  end)

  it("keeps the axes that a term adds in front", function()
    local kernel, scale = cusp.Variable(random.normal{3, 3, 4, 6}), random.normal{6}
    local term = cusp.Variable(random.normal{1, 1, 1, 1, 6})
    for _, f in ipairs{
      function(x) return (ops.conv(x, kernel, {padding = "same"}) + scale) * term + scale end,
      function(x) return ops.conv(x, kernel, {padding = "same"}) + term end,
    } do
      local x = random.normal{2, 8, 8, 4}
      assert_near(f(x), cusp.compile(f)(x))
    end
  end)

  it("hides no NaN", function()
    local input = cusp.Input{shape = {4, 4, 16}}
    local y = layers.BatchNormalization{}(layers.Conv2D{16, 3, padding = "same"}(input))
    local model = cusp.Model(input, layers.Activation{"relu"}(y))
    local x = ops.slice_update(ops.ones{1, 4, 4, 16}, {1, 1, 1, 1}, ops.full({1, 1, 1, 1}, 0 / 0))
    local found = model:predict{x, verbose = 0}:slice{1, 1, 1, 1}:item()
    assert.is_true(found ~= found)
  end)

  local operands = {random.normal{2, 5, 5, 3}, random.normal{3, 3, 3, 7}, random.normal{7},
    random.normal{7}}

  it("computes with each choice of terms", function()
    local x, kernel, scale, shift = table.unpack(operands)
    local plain = engine.ops.conv_forward(x, kernel, {1, 1}, {1, 1}, {1, 1}, {5, 5})
    local function ended(list, terms)
      return engine.ops.conv_ended(list, {1, 1}, {1, 1}, {1, 1}, {5, 5}, terms)
    end
    assert_near(plain, ended({x, kernel}, 0))
    assert_near(plain * scale, ended({x, kernel, scale}, 1))
    assert_near(plain + shift, ended({x, kernel, shift}, 2))
    assert_near(plain * scale + shift, ended({x, kernel, scale, shift}, 3))
  end)

  it("refuses other operands", function()
    local x, kernel, scale = table.unpack(operands)
    local function ended(list, terms)
      return engine.ops.conv_ended(list, {1, 1}, {1, 1}, {1, 1}, {5, 5}, terms)
    end
    assert.error_matches(function() ended({x, kernel}, 1) end, "expected 3 operands, got 2")
    assert.error_matches(function() ended({x}, 0) end, "expected 2 operands, got 1")
    assert.error_matches(function() ended({x, kernel}, 4) end, "terms should be 0 to 3, got 4")
    assert.error_matches(function() ended({x, kernel, scale:slice{{1, 6}}}, 1) end, "7 filters")
    assert.error_matches(function()
      ended({ops.cast(x, "float64"), ops.cast(kernel, "float64")}, 0)
    end, "expected operands of float32")
  end)
end)
