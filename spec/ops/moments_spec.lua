--- Mean and variance of channels in one pass: against ops.moments in float64, for several numbers
-- of threads, and in the layer that uses them.
local cusp = require "cusp"

local ops = cusp.ops

local function error_of(found, right)
  local size = 1e-30 + ops.max(ops.abs(right)):item()
  return ops.max(ops.abs(ops.cast(found, "float64") - right)):item() / size
end

local function check(shape, dtype, bound)
  local x = ops.cast(cusp.random.normal(shape, {mean = 30, seed = 1}), dtype)
  local axes = {}
  for axis = 1, #shape - 1 do axes[axis] = axis end
  local mean, variance = ops.moments(ops.cast(x, "float64"), axes)
  local first_mean, first_variance
  for threads = 1, 3 do
    cusp.set_num_threads(threads)
    local found_mean, found_variance = ops.channel_moments(x + 0)
    first_mean, first_variance = first_mean or found_mean, first_variance or found_variance
    local name = dtype .. " " .. table.concat(shape, "x")
    assert.is_true(error_of(found_mean, mean) < bound, "mean of " .. name)
    assert.is_true(error_of(found_variance, variance) < 2 * bound, "variance of " .. name)
    assert.is_true(ops.all(ops.equal(found_mean, first_mean)):item(), "threads: " .. name)
    assert.is_true(ops.all(ops.equal(found_variance, first_variance)):item(), "threads: " .. name)
  end
end

local shapes = {{1, 1}, {7, 1}, {5, 3}, {64, 16}, {3, 5, 7, 48}, {33, 130}, {4, 8192}, {2, 5000},
  {3000, 127}, {70000, 24}, {65536, 2}}

describe("the moments of channels", function()
  local threads = cusp.get_num_threads()
  after_each(function() cusp.set_num_threads(threads) end)

  it("are those of a float64 in two passes", function()
    for _, shape in ipairs(shapes) do
      check(shape, "float32", 1e-6)
      check(shape, "float64", 1e-14)
    end
  end)

  it("of 16 bits are float32, and those of the numbers as float32", function()
    for _, dtype in ipairs{"float16", "bfloat16"} do
      check({70, 16}, dtype, 1e-6)
      check({2, 5000}, dtype, 1e-6)
      local x = ops.cast(cusp.random.normal({900, 24}, {seed = 2}), dtype)
      local mean, variance = ops.channel_moments(x)
      local wide_mean, wide_variance = ops.channel_moments(ops.cast(x, "float32"))
      assert.are.same("float32", mean.dtype)
      assert.is_true(ops.all(ops.equal(mean, wide_mean)):item())
      assert.is_true(ops.all(ops.equal(variance, wide_variance)):item())
    end
  end)

  it("do not lose a small variance beside a large mean or one outlier", function()
    local x = cusp.random.normal({40000, 8}, {mean = 4096, stddev = 0.5, seed = 3})
    x = ops.concatenate({cusp.full({1, 8}, 1e4), x}, {axis = 1})
    local _, variance = ops.channel_moments(x)
    local _, right = ops.moments(ops.cast(x, "float64"), {1})
    assert.is_true(error_of(variance, right) < 1e-5)
  end)

  it("of nothing are NaN, of no channels nothing", function()
    for _, moment in ipairs{ops.channel_moments(cusp.ones{0, 3})} do
      assert.is_true(ops.all(ops.isnan(moment)):item())
    end
    assert.are.same({0}, {table.unpack(ops.channel_moments(cusp.ones{3, 0}).shape)})
  end)

  it("keep infinite sums infinite", function()
    local mean, variance = ops.channel_moments(cusp.tensor{{math.huge, 1}, {1, 3}})
    assert.are.same({math.huge, 2}, mean:tolist())
    assert.is_true(ops.isnan(variance):tolist()[1])
  end)
end)

describe("batch normalization by moments of channels", function()
  local function train(dtype, axis)
    cusp.random.set_seed(4)
    local layer = cusp.layers.BatchNormalization{axis = axis, dtype = dtype}
    local x = cusp.random.normal({6, 5, 5, 5}, {seed = 5, mean = 2})
    local tape <close> = cusp.GradientTape()
    tape:watch(x)
    local y = layer(x, {training = true})
    local weights = cusp.random.normal({6, 5, 5, 5}, {seed = 6})
    local loss = ops.sum(ops.square(ops.cast(y, "float32")) * weights)
    local gradients = tape:gradient(loss, {x, layer.gamma.value, layer.beta.value})
    return {y, layer.moving_mean.value, layer.moving_variance.value, table.unpack(gradients)}
  end

  it("is what a layer of float64 has, with its gradients", function()
    local found, right = train("float32"), train("float64")
    for i, tensor in ipairs(found) do
      assert.is_true(error_of(tensor, ops.cast(right[i], "float64")) < 1e-5, "result " .. i)
    end
  end)

  it("is the same eagerly and compiled", function()
    local layer = cusp.layers.BatchNormalization{dtype = "mixed_bfloat16"}
    local x = cusp.random.normal({6, 5, 5, 16}, {seed = 5, mean = 2})
    local eager = layer(x, {training = true})
    local compiled = cusp.compile(function(t) return layer(t, {training = true}) end)(x)
    assert.is_true(ops.all(ops.equal(eager, compiled)):item())
  end)
end)
