-- Unusual shapes, dtypes and points, with the values that Keras computes on JAX.
local cusp = require "cusp"
local ops, losses, null = cusp.ops, cusp.losses, cusp.null

local function near(expected, got)
  local values = type(got) == "userdata" and got:flat() or got
  assert.equal(#expected, #values)
  for i, value in ipairs(expected) do
    assert.near(value, values[i], 1e-5 * (1 + math.abs(value)))
  end
end

local function refused(message, f, ...)
  local ok, got = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(got):find(message, 1, true), tostring(got))
end

local function gradient_at(points, f)
  local x = cusp.tensor(points, {dtype = "float32"})
  local tape <close> = cusp.GradientTape()
  tape:watch(x)
  return tape:gradient(f(x), x)
end

describe("axes of size 0 and 1", function()
  it("give empty differences, slices and sums", function()
    assert.same({0}, ops.diff(ops.zeros{1}).shape)
    assert.same({0}, ops.diff(ops.zeros{0}).shape)
    assert.same({2, 0}, ops.diff(ops.zeros{2, 1}, {n = 3}).shape)
    assert.equal(0, ops.trapezoid(ops.zeros{1}):item())
    assert.same({0, 0}, ops.trapezoid(ops.zeros{2, 0}):tolist())
    assert.same({0}, ops.arange(5):slice{{3, 0}}.shape)
    refused("positions count from 1", function() return ops.arange(5):slice{{0, 2}} end)
  end)

  it("have a logsumexp of minus infinity", function()
    assert.equal(-math.huge, ops.logsumexp(ops.zeros{0}):item())
    assert.same({{-math.huge}, {-math.huge}}, ops.logsumexp(ops.zeros{2, 0}, 2, true):tolist())
    assert.same({0}, ops.logsumexp(ops.zeros{2, 0}, 1).shape)
  end)

  it("have no windows where a window does not fit", function()
    local x = cusp.Variable(ops.ones{1, 3, 1})
    local kernel = cusp.Variable(ops.ones{2, 1, 1})
    local tape <close> = cusp.GradientTape()
    local y = ops.depthwise_conv(x, kernel, {dilation_rate = 3})
    assert.same({1, 0, 1}, y.shape)
    assert.same({0, 0, 0}, tape:gradient(y, x):flat())
    assert.same({1, 0, 1},
      ops.separable_conv(x, kernel, ops.ones{1, 1, 1}, {dilation_rate = 3}).shape)
    assert.same({1, 4, 0}, ops.unfold(ops.zeros{1, 1, 3, 3}, 2, {dilation = 3}).shape)
    for _, name in ipairs{"max_pool", "average_pool"} do
      local pooled = gradient_at({{{1}, {2}, {3}}}, function(t) return ops[name](t, 5, 1) end)
      assert.same({0, 0, 0}, pooled:flat())
    end
    refused("the output would be empty", ops.conv, x, kernel, {dilation_rate = 3})
    assert.same({0, 0, 1}, ops.conv(ops.zeros{0, 3, 1}, kernel, {dilation_rate = 3}).shape)
  end)

  it("are refused by adaptive pooling", function()
    for _, name in ipairs{"adaptive_average_pool", "adaptive_max_pool"} do
      refused("output_size should be positive integers", ops[name], ops.zeros{1, 2, 2, 1}, 0)
      refused("nothing to pool", ops[name], ops.zeros{1, 0, 2, 1}, 1)
      assert.same({1, 1, 1, 0}, ops[name](ops.zeros{1, 2, 2, 0}, 1).shape)
    end
  end)

  it("are a class of their own", function()
    local one = losses.categorical_generalized_cross_entropy(cusp.tensor{0, 0, 0},
      ops.full({3, 1}, 0.3), 0.5)
    near({0.9045548, 0.9045548, 0.9045548}, one)
    near({1.1920929e-07},
      losses.sparse_categorical_crossentropy(cusp.tensor{{0}}, ops.full({1, 1}, 0.3)))
    near({0}, losses.sparse_categorical_crossentropy(cusp.tensor{0}, ops.full({1}, 0.3)))
    assert.same({2, 1}, losses.sparse_categorical_crossentropy(ops.zeros{2, 1, 1},
      ops.ones{2, 1, 1}).shape)
    assert.same({1, 2, 1},
      cusp.metrics.sparse_categorical_accuracy(ops.zeros{1, 2, 1, 1}, ops.ones{1, 2, 1, 3}).shape)
  end)
end)

describe("dtypes", function()
  local function of(name, a, b, shape, ...)
    return ops[name](ops.ones(shape, a), ops.ones(shape, b), ...).dtype
  end

  it("of products of int8 and bool are Keras's", function()
    for _, name in ipairs{"matmul", "inner", "vdot", "dot"} do
      local shape = name == "matmul" and {2, 2} or {2}
      assert.equal("int8", of(name, "int8", "bool", shape), name)
      assert.equal("int8", of(name, "bool", "int8", shape), name)
      assert.equal(name == "matmul" and "int32" or "int8", of(name, "int8", "int8", shape), name)
    end
    local full = cusp.tensor({{100, 100}}, {dtype = "int8"})
    assert.same({{-56}}, ops.matmul(full, ops.ones({2, 1}, "bool")):tolist())
    assert.equal("int8", ops.tensordot(full, full, {{1, 2}, {1, 2}}).dtype)
    assert.equal("int8", ops.einsum("ij,kj->ik", full, ops.ones({1, 2}, "bool")).dtype)
  end)

  it("of half types are Keras's", function()
    assert.equal("float16", of("correlate", "float16", "int8", {2}))
    assert.equal("bfloat16", of("trapezoid", "int32", "bfloat16", {2}))
    assert.equal("float32", ops.logaddexp(ops.ones({2}, "float16"), 1.5).dtype)
    assert.equal("float16", ops.logaddexp(ops.ones({2}, "float16"), 2).dtype)
    assert.equal("bfloat16",
      ops.quantile(ops.ones({2}, "bfloat16"), ops.ones({1}, "float32")).dtype)
    assert.equal("float32", ops.quantile(ops.ones({2}, "int32"), ops.ones({1}, "float16")).dtype)
    assert.equal(2500, ops.median(ops.cast(ops.arange(5001), "float16")):item())
    assert.equal(1, ops.nanmean(ops.ones({70000}, "float16")):item())
  end)

  it("of integers stay, or become floats, as in Keras", function()
    local wide = cusp.tensor({16777217, 16777216}, {shape = {1, 2, 1}})
    assert.same({16777217}, ops.max_pool(wide, 2):flat())
    assert.equal("int32", ops.max_pool(wide, 2).dtype)
    assert.equal("float32", ops.average_pool(wide, 2).dtype)
    assert.equal("float32", ops.adaptive_average_pool(wide, 1).dtype)
    assert.equal("float32", ops.relu6(cusp.tensor{7}).dtype)
    assert.equal("int32", ops.hard_tanh(cusp.tensor{7}).dtype)
    assert.equal("int32", ops.relu(cusp.tensor{true}).dtype)
    assert.equal("float32", ops.full({2}, 0).dtype)
    local values, step = ops.linspace(0, 10, {num = 5, retstep = true, dtype = "int32"})
    assert.same({0, 2, 5, 7, 10}, values:tolist())
    assert.equal("float32", step.dtype)
    assert.equal(2.5, step:item())
  end)

  it("are saturated by saturate_cast and by resizing", function()
    assert.same({false, false, true, true},
      ops.saturate_cast(cusp.tensor{-1.5, 0, 0.3, 2}, "bool"):tolist())
    assert.same({255}, ops.saturate_cast(cusp.tensor{300}, "uint8"):tolist())
    assert.same({-65504, 65504},
      ops.saturate_cast(cusp.tensor{-494027904, 65535}, "float16"):tolist())
    local image = cusp.tensor({0, 255, 0, 255}, {shape = {1, 4, 1, 1}, dtype = "uint8"})
    local function resized(method)
      return ops.image.resize(image, {7, 1}, {interpolation = method}):flat()
    end
    assert.same({0, 87, 251, 128, 4, 168, 255}, resized "bicubic")
    assert.same({0, 111, 252, 128, 3, 144, 255}, resized "lanczos5")
    local wide = cusp.tensor({16777217, 0}, {shape = {1, 2, 1, 1}})
    assert.same({16777217, 0, 0},
      ops.image.resize(wide, {3, 1}, {interpolation = "nearest"}):flat())
    local moved = ops.image.scale_and_translate(image, {1, 7, 1, 1}, {1.75, 1.0}, {0.0, 0.0},
      {1, 2}, "cubic")
    assert.equal("float32", moved.dtype)
  end)

  it("hold counts of more than 2^31", function()
    local far = cusp.tensor{1 << 32}
    local p = cusp.tensor{{0.25, 0.75}}
    assert.same(ops.sparse_categorical_crossentropy(cusp.tensor{5}, p):tolist(),
      ops.sparse_categorical_crossentropy(far, p):tolist())
    assert.same({false}, ops.in_top_k(far, p, 2):tolist())
    refused("positions in int32", ops.argmax, ops.broadcast_to(ops.ones({1}, "int8"), {1 << 32}))
    local many <close> = require("cusp.engine").trace()
    assert.equal("int64", ops.count_nonzero(many:placeholder({1 << 16, 1 << 16}, "int8"), 1).dtype)
    assert.same({{0, 0}}, ops.one_hot(cusp.tensor{1 << 32}, 2):tolist())
  end)
end)

describe("an axis that is null", function()
  local x = cusp.tensor{{4.0, 2.0}, {3.0, 1.0}}

  it("means all elements", function()
    near({0.6439143, 0.0871443, 0.2368828, 0.0320586}, ops.softmax(x, {axis = null}))
    near({-0.4401897, -2.4401897, -1.4401897, -3.4401897}, ops.log_softmax(x, null))
    assert.same({1, 2, 3, 4}, ops.sort(x, {axis = null}):tolist())
    assert.same({3, 1, 2, 0}, ops.argsort(x, {axis = null}):tolist())
    assert.same({4}, ops.argpartition(x, 1, {axis = null}).shape)
    assert.same({4, 2, 3, 1, 5}, ops.concatenate({x, cusp.tensor{5.0}}, {axis = null}):tolist())
    local loss = ops.categorical_crossentropy(cusp.tensor{{1.0, 0.0}}, cusp.tensor{{0.3, 0.7}},
      {axis = null})
    near({1.2039728}, {loss:item()})
    near({0.7302968, 0.3651484, 0.5477226, 0.1825742}, ops.normalize(x, {axis = null}))
    local inputs = cusp.Input{2}
    near({0.6439143, 0.0871443, 0.2368828, 0.0320586},
      cusp.Model{inputs, ops.softmax(inputs, {axis = null})}(x))
  end)

  it("is refused where it means nothing", function()
    for _, name in ipairs{"split", "unstack", "layer_normalization", "glu", "diff", "trapezoid",
      "sparsemax", "array_split"} do
      local arguments = (name == "split" or name == "array_split") and {x, 1} or {x}
      arguments[#arguments + 1] = {axis = null}
      assert.is_false(pcall(ops[name], table.unpack(arguments)), name)
    end
    refused("argument 'axis' expects an axis", ops.stack, {x, x}, {axis = null})
    refused("argument 'axis' expects an axis", ops.one_hot, cusp.tensor{1}, 2, {axis = null})
  end)
end)

describe("gradients at corners", function()
  it("are those on which the libraries agree", function()
    near({0, 1, 0}, gradient_at({0, 1, 6}, ops.relu6))
    near({0, 1 / 6, 0}, gradient_at({-3, 0, 3}, ops.hard_sigmoid))
    near({0, 0.5, 1}, gradient_at({-3, 0, 3}, ops.hard_silu))
    near({0.5, 1}, gradient_at({0.5, 1}, function(x) return ops.maximum(x, 0.5) end))
    near({0.5, 0}, gradient_at({0.5, 1}, function(x) return ops.minimum(0.5, x) end))
    near({1, 1}, gradient_at({0, 1}, ops.elu))
    near({1, 1}, gradient_at({0, 1}, ops.celu))
    near({1.7580993, 1.0507010}, gradient_at({0, 1}, ops.selu))
    near({-0.5}, gradient_at({1}, function(x) return losses.hinge(cusp.tensor{1.0}, x) end))
  end)

  it("keep NaN out of the way of others", function()
    local values = ops.relu6(cusp.tensor{0 / 0, 7.0, -1.0}):tolist()
    assert.is_true(values[1] ~= values[1])
    assert.same({6, 0}, {values[2], values[3]})
  end)
end)

describe("linear algebra", function()
  it("has a gradient of lu_factor", function()
    local weights = cusp.tensor({{0.5, -1}, {2, 3}, {-0.25, 1}}, {dtype = "float64"})
    for _, shape in ipairs{{2, 2}, {3, 2}, {2, 3}} do
      local values = {0.3, -1.2, 2.0, 0.7, -0.4, 1.1}
      local count = shape[1] * shape[2]
      local scale = ops.reshape(weights, {-1}):slice{{1, count}}
      local function loss(list)
        local lu = ops.lu_factor(cusp.tensor({table.unpack(list, 1, count)},
          {shape = shape, dtype = "float64"}))
        return ops.sum(ops.reshape(lu, {-1}) * scale):item()
      end
      local x = cusp.tensor({table.unpack(values, 1, count)}, {shape = shape, dtype = "float64"})
      local tape <close> = cusp.GradientTape()
      tape:watch(x)
      local gradient = tape:gradient(ops.sum(ops.reshape((ops.lu_factor(x)), {-1}) * scale),
        x):flat()
      for i = 1, count do
        local up, down = {table.unpack(values)}, {table.unpack(values)}
        up[i], down[i] = up[i] + 1e-6, down[i] - 1e-6
        assert.near((loss(up) - loss(down)) / 2e-6, gradient[i], 1e-5)
      end
    end
  end)

  it("solves triangles for batches of vectors", function()
    local a = cusp.tensor{{{1.0, 0.0}, {0.0, 2.0}}, {{1.0, 0.0}, {0.0, 1.0}}}
    assert.same({{1, 1}, {3, 4}},
      ops.solve_triangular(a, cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}):tolist())
  end)

  it("has no I0 of infinity", function()
    for _, value in ipairs(ops.i0(cusp.tensor{math.huge, -math.huge, 0 / 0}):tolist()) do
      assert.is_true(value ~= value)
    end
    assert.equal(math.huge, ops.i0(cusp.tensor{200.0}):item())
  end)
end)
