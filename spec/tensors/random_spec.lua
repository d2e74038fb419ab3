local cusp = require "cusp"
local random = cusp.random

describe("random", function()
  it("is reproducible under set_seed and at any number of threads", function()
    random.set_seed(3)
    local first = {random.normal({1000}):flat(), random.uniform({10}):flat()}
    local threads = cusp.get_num_threads()
    cusp.set_num_threads(1)
    random.set_seed(3)
    assert.same(first, {random.normal({1000}):flat(), random.uniform({10}):flat()})
    cusp.set_num_threads(threads)
  end)

  it("takes an integer, a generator or nothing as its seed", function()
    assert.same(random.uniform({4}, {seed = 5}):flat(), random.uniform({4}, {seed = 5}):flat())
    local generator = random.SeedGenerator(5)
    local a, b = random.uniform({4}, {seed = generator}):flat(),
      random.uniform({4}, {seed = generator}):flat()
    assert.not_same(a, b)
    local again = random.SeedGenerator(5)
    assert.same(a, random.uniform({4}, {seed = again}):flat())
    local ok, message = pcall(random.uniform, {4}, {seed = "x"})
    assert.is_false(ok)
    assert.matches("seed should be an integer or a SeedGenerator", message)
  end)

  it("draws from the distributions it names", function()
    local function near(value, expected, tolerance)
      assert.is_true(math.abs(value - expected) < tolerance, value .. " for " .. expected)
    end
    near(random.uniform({20000}, 2, 4, {seed = 1}):mean():item(), 3, 0.02)
    near(random.normal({20000}, 1, 2, {seed = 1}):std():item(), 2, 0.05)
    assert.is_true(random.truncated_normal({20000}, {seed = 1}):abs():max():item() <= 2)
    near(random.gamma({20000}, 2.0, {seed = 1}):mean():item(), 2, 0.05)
    near(random.beta({20000}, 2.0, 3.0, {seed = 1}):mean():item(), 0.4, 0.01)
    near(random.binomial({20000}, 10, 0.3, {seed = 1}):mean():item(), 3, 0.05)
    near(random.bernoulli({20000}, 0.3, {seed = 1}):mean():item(), 0.3, 0.02)
    local integers = random.randint({1000}, 2, 5, {seed = 1})
    assert.equal("int32", integers.dtype)
    assert.same({2, 4}, {integers:min():item(), integers:max():item()})
    assert.same({2, 100}, random.categorical(cusp.tensor{{0.0, 1.0}, {1.0, 0.0}}, 100).shape)
  end)

  it("shuffles along an axis and drops out by a noise shape", function()
    local order = random.shuffle(cusp.arange(10), {seed = 1})
    assert.same(cusp.arange(10):flat(), order:sort():flat())
    local dropped = random.dropout(cusp.ones{4, 3}, 0.5, {noise_shape = {4, 1}, seed = 1}):tolist()
    for _, row in ipairs(dropped) do assert.same(row, {row[1], row[1], row[1]}) end
  end)
end)
