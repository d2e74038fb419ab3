--- Random rows: numbers that depend only on the key, their statistics, dropout's gradient, bad
-- arguments.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local function key(seed, draw) return engine.tensor({seed, draw or 0}, {dtype = "uint64"}) end

--- Mean and variance within 5 standard errors; `kurtosis` is the distribution's.
local function check(values, mean, variance, kurtosis)
  local n, sum, squares = #values, 0, 0
  for _, x in ipairs(values) do sum, squares = sum + (x - mean), squares + (x - mean) ^ 2 end
  assert.near(0, sum / n, 5 * math.sqrt(variance / n))
  assert.near(variance, squares / n, 5 * variance * math.sqrt((kurtosis - 1) / n))
end

local rows = {
  uniform = function(k) return ops.random_uniform(k, {30001}, -2.0, 4.0) end,
  normal = function(k) return ops.random_normal(k, {30001}, 1.0, 3.0) end,
  truncated_normal = function(k) return ops.random_truncated_normal(k, {30001}, 1.0, 3.0) end,
  randint = function(k) return ops.random_randint(k, {30001}, -5, 6) end,
  gamma = function(k) return ops.random_gamma(k, 2.5, {30001}) end,
  beta = function(k) return ops.random_beta(k, 2.0, 3.0, {30001}) end,
  binomial = function(k) return ops.random_binomial(k, 20, 0.4, {30001}) end,
  dropout = function(k) return ops.dropout(k, ops.ones{30001}, 0.25) end,
  permutation = function(k) return ops.random_permutation(k, 30001) end,
  categorical = function(k)
    return ops.random_categorical(k, engine.tensor{{0.0, math.log(3)}}, 30001)
  end,
}

describe("a draw", function()
  for name, draw in pairs(rows) do
    it("of " .. name .. " depends on its key alone", function()
      local threads = engine.get_num_threads()
      engine.set_num_threads(1)
      local one, other = draw(key(7, 3)):flat(), draw(key(7, 4)):flat()
      engine.set_num_threads(2)
      local two = draw(key(7, 3)):flat()
      engine.set_num_threads(threads)
      assert.same(one, two)
      assert.are_not.same(one, other)
      assert.are_not.same(one, draw(key(8, 3)):flat())
    end)
  end

  it("has its distribution's moments", function()
    check(rows.uniform(key(1)):flat(), 1, 3, 1.8)
    check(rows.normal(key(1)):flat(), 1, 9, 3)
    check(rows.truncated_normal(key(1)):flat(), 1, 9 * 0.7737413, 2.3655)
    check(rows.randint(key(1)):flat(), 0, 10, 1.78)
    check(rows.gamma(key(1)):flat(), 2.5, 2.5, 3 + 6 / 2.5)
    check(rows.beta(key(1)):flat(), 0.4, 0.04, 2.36)
    check(rows.binomial(key(1)):flat(), 8, 4.8, 2.91)
    check(rows.dropout(key(1)):flat(), 1, 1 / 3, 7 / 3)
    check(rows.categorical(key(1)):flat(), 0.75, 0.1875, 7 / 3)
  end)

  it("stays within bounds", function()
    for _, x in ipairs(rows.uniform(key(2)):flat()) do assert.is_true(x >= -2 and x < 4) end
    for _, x in ipairs(rows.truncated_normal(key(2)):flat()) do
      assert.is_true(x >= -5.00001 and x <= 7.00001)
    end
    for _, x in ipairs(rows.randint(key(2)):flat()) do
      assert.is_true(x >= -5 and x <= 5 and math.type(x) == "integer")
    end
    for _, x in ipairs(rows.beta(key(2)):flat()) do assert.is_true(x > 0 and x < 1) end
  end)

  it("has the dtype asked for", function()
    for _, dtype in ipairs{"float16", "bfloat16", "float32", "float64"} do
      assert.equal(dtype, ops.random_uniform(key(1), {3}, 0.0, 1.0, dtype).dtype)
      assert.equal(dtype, ops.random_normal(key(1), {3}, 0.0, 1.0, dtype).dtype)
      assert.equal(dtype, ops.random_truncated_normal(key(1), {3}, 0.0, 1.0, dtype).dtype)
      assert.equal(dtype, ops.random_gamma(key(1), 1.0, {3}, dtype).dtype)
    end
    assert.equal("uint8", ops.random_randint(key(1), {3}, 0, 9, "uint8").dtype)
    assert.equal("int64", ops.random_permutation(key(1), 3).dtype)
    assert.same({2, 0}, ops.random_normal(key(1), {2, 0}).shape)
    assert.same({}, ops.random_normal(key(1), {}).shape)
  end)

  it("is not correlated with its neighbours", function()
    local x = rows.normal(key(5)):flat()
    local sum = 0
    for i = 2, #x do sum = sum + (x[i] - 1) * (x[i - 1] - 1) end
    assert.near(0, sum / #x / 9, 5 / math.sqrt(#x))
  end)

  it("says what is wrong with its arguments", function()
    assert.matches("the key must be uint64 of shape %[2%]",
      message(ops.random_uniform, engine.tensor{1, 2}, {3}))
    assert.matches("nonnegative sizes", message(ops.random_normal, key(1), {-1}))
    assert.matches("minval must be less than maxval, got 3 and 3",
      message(ops.random_randint, key(1), {2}, 3, 3))
    assert.matches("expected an integer dtype, got float32",
      message(ops.random_randint, key(1), {2}, 0, 3, "float32"))
    assert.matches("random_normal: expected a float dtype, got int32",
      message(ops.random_normal, key(1), {2}, 0, 1, "int32"))
    assert.matches("expected float logits of shape %[batch, classes%]",
      message(ops.random_categorical, key(1), ops.zeros{3}, 2))
    assert.matches("dropout: rate should be between 0 and 1, got 1.5",
      message(ops.dropout, key(1), ops.zeros{3}, 1.5))
    assert.matches("noise_shape", message(ops.dropout, key(1), ops.zeros{3, 2}, 0.5, {2, 2}))
  end)
end)

describe("a permutation", function()
  it("has every number once", function()
    for _, n in ipairs{0, 1, 2, 1000} do
      local order = ops.random_permutation(key(3), n):tolist()
      table.sort(order)
      for i = 1, n do assert.equal(i - 1, order[i]) end
    end
  end)

  it("shuffles whole slices", function()
    local x = ops.reshape(ops.arange(12), {4, 3})
    local rows_shuffled = ops.random_shuffle(key(4), x):tolist()
    table.sort(rows_shuffled, function(a, b) return a[1] < b[1] end)
    assert.same(x:tolist(), rows_shuffled)
    assert.same({4, 3}, ops.random_shuffle(key(4), x, 2).shape)
    assert.matches("random_shuffle: axis 3 is out of range",
      message(ops.random_shuffle, key(4), x, 3))
  end)
end)

describe("dropout", function()
  it("keeps what it scales, and sends gradients the same way", function()
    for _, dtype in ipairs{"float32", "float64", "float16"} do
      local x = ops.cast(ops.arange(1, 2001), dtype)
      local tape <close> = engine.tape()
      tape:watch(x)
      local y = ops.dropout(key(9), x, 0.5)
      local gradient = tape:gradient({ops.sum(ops.cast(y, "float64"))}, {x})[1]:flat()
      local xs, kept = x:flat(), 0
      for i, value in ipairs(y:flat()) do
        assert.is_true(value == 0 or value == 2 * xs[i])
        assert.equal(value == 0 and 0 or 2, gradient[i])
        kept = kept + (value ~= 0 and 1 or 0)
      end
      assert.near(1000, kept, 5 * math.sqrt(500))
    end
  end)

  it("shares its mask along axes of size 1", function()
    local y = ops.dropout(key(9), ops.ones{50, 4}, 0.5, {50, 1}):tolist()
    for _, row in ipairs(y) do
      for k = 2, 4 do assert.equal(row[1], row[k]) end
    end
  end)

  it("does nothing at rate 0 and clears all at rate 1", function()
    assert.same({1, 2}, ops.dropout(key(9), engine.tensor{1.0, 2.0}, 0.0):tolist())
    assert.same({0, 0}, ops.dropout(key(9), engine.tensor{1.0, math.huge}, 1.0):tolist())
  end)
end)
