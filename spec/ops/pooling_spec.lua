--- Pooling: values computed by hand, both dtypes, gradients of both orders, messages.
local cusp = require "cusp"

local ops = cusp.ops

local drawn = 0

-- The same numbers whatever was drawn before: at a tie, a difference is no gradient.
local function random(shape)
  drawn = drawn + 1
  return ops.cast(cusp.random.uniform(shape, {minval = -1, maxval = 1, seed = drawn}), "float64")
end

local function gradient_of(f, x, weights)
  local tape <close> = cusp.GradientTape()
  tape:watch(x)
  return tape:gradient(ops.sum(ops.multiply(f(x), weights)), x)
end

-- Compares the gradient along a random direction with a central difference.
local function check_slope(f, x)
  local weights, direction, step = random(f(x).shape), random(x.shape), 1e-6
  local slope = ops.sum(ops.multiply(gradient_of(f, x, weights), direction)):item()
  local function at(side)
    return ops.sum(ops.multiply(f(ops.add(x, ops.multiply(direction, side * step))),
      weights)):item()
  end
  assert.is_true(math.abs((at(1) - at(-1)) / (2 * step) - slope) < 1e-5 * (1 + math.abs(slope)))
end

local row = cusp.tensor({1, 5, 2, 4, 3}, {shape = {1, 5, 1}, dtype = "float32"})

describe("pooling", function()
  it("looks at each window", function()
    assert.are.same({5, 4}, ops.max_pool(row, 2):flat())
    assert.are.same({5, 5, 4, 4}, ops.max_pool(row, 2, 1):flat())
    assert.are.same({5, 4, 3}, ops.max_pool(row, 2, {padding = "same"}):flat())
    assert.are.same({3, 3}, ops.average_pool(row, 2):flat())
  end)

  it("leaves padding out of the mean and of the maximum", function()
    assert.are.same({3, 3, 3}, ops.average_pool(row, 2, {padding = "same"}):flat())
    assert.are.same({-1},
      ops.max_pool(cusp.tensor({-1}, {shape = {1, 1, 1}, dtype = "float32"}), 3,
        {padding = "same"}):flat())
  end)

  it("gives the gradient to the first of equal maxima", function()
    local x = cusp.tensor({2, 2, 1}, {shape = {1, 3, 1}, dtype = "float32"})
    local function pool(t) return ops.max_pool(t, 3) end
    assert.are.same({1, 0, 0}, gradient_of(pool, x, cusp.ones{1, 1, 1}):flat())
  end)

  it("keeps NaN", function()
    local x = cusp.tensor({1, 0 / 0, 2, 3}, {shape = {1, 4, 1}, dtype = "float32"})
    local y = ops.max_pool(x, 2):flat()
    assert.is_true(y[1] ~= y[1])
    assert.are.equal(3, y[2])
  end)

  local cases = {
    {"one axis", {2, 9, 3}, 3, {}},
    {"overlapping windows", {2, 8, 7, 3}, 3, {strides = 2}},
    {"padding", {2, 8, 7, 3}, {3, 2}, {strides = 2, padding = "same"}},
    {"channels first", {2, 3, 6, 6}, 2, {data_format = "channels_first"}},
    {"three axes", {1, 4, 5, 4, 2}, 2, {}},
    {"many channels", {1, 4, 4, 300}, 2, {}},
  }
  for _, name in ipairs{"max_pool", "average_pool"} do
    for _, case in ipairs(cases) do
      local function pool(x)
        local arguments = {x, case[3]}
        for key, value in pairs(case[4]) do arguments[key] = value end
        return ops[name](arguments)
      end
      it(name .. " has the gradient of its differences: " .. case[1], function()
        check_slope(pool, random(case[2]))
      end)
      it(name .. " has gradients of gradients: " .. case[1], function()
        local x = random(case[2])
        local weights = random(pool(x).shape)
        check_slope(function(t)
          return ops.multiply(t, gradient_of(function(u)
            return ops.square(pool(u))
          end, t, weights))
        end, x)
      end)
      it(name .. " agrees in both precisions: " .. case[1], function()
        local x = random(case[2])
        local difference = ops.subtract(pool(x), ops.cast(pool(ops.cast(x, "float32")), "float64"))
        assert.is_true(ops.max(ops.abs(difference)):item() < 1e-6)
      end)
    end
  end

  it("keeps dtypes and takes empty batches", function()
    assert.are.equal("bfloat16", ops.max_pool(cusp.ones({1, 4, 1}, {dtype = "bfloat16"}), 2).dtype)
    assert.are.same({0, 2, 3}, ops.average_pool(cusp.zeros{0, 4, 3}, 2).shape)
  end)

  it("says what is wrong", function()
    local function fails(message, ...)
      local ok, text = pcall(ops.max_pool, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(text):find(message, 1, true), tostring(text))
    end
    fails("pool_size should be positive", row, 0)
    fails("strides should be positive and at most 2147483647, got 40000000000", row, 1, 40000000000)
    fails("pool_size should be one number or 1", row, {2, 2})
    fails("3 to 5 axes", cusp.zeros{2, 3}, 2)
    fails("padding should be", row, 2, {padding = "causal2"})
  end)
end)
