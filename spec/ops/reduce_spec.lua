--- Reductions: dtypes, axes, empty axes, NaN, and operations composed of them.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local matrix = engine.tensor{{1, 2, 3}, {4, 5, 6}}
local nan = 0 / 0

describe("a sum", function()
  it("widens small integers", function()
    for from, to in pairs{uint8 = "uint32", int8 = "int32", uint16 = "uint32", int64 = "int64",
      float16 = "float16"} do
      assert.equal(to, ops.sum(engine.tensor({1, 2}, {dtype = from})).dtype)
    end
    assert.equal(510, ops.sum(engine.tensor({255, 255}, {dtype = "uint8"})):item())
    assert.equal(2, ops.sum(engine.tensor{true, false, true}):item())
  end)

  it("counts axes from 1, negative ones from the end", function()
    assert.same({5, 7, 9}, ops.sum(matrix, 1):tolist())
    assert.same({6, 15}, ops.sum(matrix, -1):tolist())
    assert.same({{21}}, ops.sum(matrix, {1, 2}, true):tolist())
    assert.equal(21, ops.sum(matrix):item())
  end)

  it("of nothing is zero", function()
    assert.equal(0, ops.sum(ops.zeros{0}):item())
    assert.same({0, 0}, ops.sum(ops.zeros{2, 0}, 2):tolist())
    assert.equal(1, ops.prod(ops.zeros{0}):item())
    assert.is_true(ops.all(ops.zeros({0}, "bool")):item())
  end)

  it("is accurate over many elements", function()
    assert.near(1e5, ops.sum(ops.full({1000000}, 0.1)):item(), 0.2)
    assert.near(0.1, ops.mean(ops.full({1000000}, 0.1)):item(), 1e-7)
  end)

  it("refuses an axis that is not there, or twice", function()
    local wanted =
      "axis 3 is out of range for a tensor of 2 dimensions (expected 1 to 2, or -2 to -1)"
    assert.matches(wanted, message(ops.sum, matrix, 3), 1, true)
    assert.matches("axis 2 is given twice", message(ops.sum, matrix, {2, 2}), 1, true)
    assert.matches("a scalar", message(ops.sum, 1, 1), 1, true)
  end)
end)

describe("extremes", function()
  it("are NaN where one is", function()
    local x = engine.tensor{{1, nan}, {3.5, 2}}
    local largest = ops.max(x, 2):tolist()
    assert.is_true(largest[1] ~= largest[1])
    assert.equal(3.5, largest[2])
    assert.same({1, 3.5}, ops.nanmax(x, 2):tolist())
    assert.same({1, 0}, ops.argmax(x, 2):tolist())
  end)

  it("of nothing are an error, unless there is an initial value", function()
    assert.matches("has no extreme", message(ops.max, ops.zeros{2, 0}, 2), 1, true)
    assert.matches("has no extreme", message(ops.argmin, ops.zeros{0}), 1, true)
    assert.same({-1, -1}, ops.max(ops.zeros{2, 0}, 2, {initial = -1.0}):tolist())
    assert.same({5, 5, 6}, ops.max(matrix, 1, {initial = 5}):tolist())
  end)

  it("have the first position of several", function()
    assert.equal(1, ops.argmax(engine.tensor{1, 3, 3}):item())
    assert.same({{0, 0, 0}}, ops.argmin(matrix, 1, true):tolist())
    assert.equal("int32", ops.argmax(matrix).dtype)
    assert.equal(5, ops.argmax(matrix):item())
    assert.equal(-1, ops.nanargmax(engine.tensor{nan, nan}):item())
  end)

  it("are found in rows of any length", function()
    for _, count in ipairs{1, 3, 15, 16, 17, 32, 70, 131} do
      local rows, first, infinite = {}, {}, {}
      for row = 1, 5 do
        rows[row], infinite[row] = {}, {}
        first[row] = (row * 37) % count
        for k = 1, count do
          rows[row][k] = k - 1 >= first[row] and k % 2 == (first[row] + 1) % 2 and 2 or k % 2
          infinite[row][k] = -math.huge
        end
      end
      local x = engine.tensor(rows)
      for _, dtype in ipairs{"float32", "bfloat16", "float64", "int32"} do
        local typed = ops.cast(x, dtype)
        assert.same(first, ops.argmax(typed, 2):tolist())
        assert.same(first, ops.argmin(-typed, 2):tolist())
      end
      rows[2][count], rows[4][first[4] + 1] = nan, nan
      x, first[2] = engine.tensor(rows), count - 1
      for _, dtype in ipairs{"float32", "bfloat16", "float64"} do
        assert.same(first, ops.argmax(ops.cast(x, dtype), 2):tolist())
        local lowest = ops.cast(engine.tensor(infinite), dtype)
        assert.same({0, 0, 0, 0, 0}, ops.argmax(lowest, 2):tolist())
      end
    end
  end)
end)

describe("statistics", function()
  it("of integers are floats", function()
    assert.equal(3.5, ops.mean(matrix):item())
    assert.same({2.25, 2.25, 2.25}, ops.var(matrix, 1):tolist())
    assert.near(math.sqrt(2 / 3), ops.std(matrix, 2):tolist()[1], 1e-6)
    assert.equal("float32", ops.mean(matrix).dtype)
  end)

  it("of half precision do not overflow on the way", function()
    assert.equal(60000, ops.mean(engine.tensor({60000, 60000}, {dtype = "float16"})):item())
  end)

  it("take quantiles by every method", function()
    local x = engine.tensor{4.0, 1.0, 3.0, 2.0}
    local wanted = {linear = 1.9, lower = 1, higher = 2, midpoint = 1.5, nearest = 2}
    for method, value in pairs(wanted) do
      assert.near(value, ops.quantile(x, 0.3, {method = method}):item(), 1e-6)
    end
    assert.equal(2.5, ops.median(x):item())
    assert.matches("unknown method", message(ops.quantile, x, 0.3, {method = "spline"}), 1, true)
  end)

  it("leave NaN out", function()
    local x = engine.tensor{{1, nan, 3}, {nan, nan, nan}}
    local means = ops.nanmean(x, 2):tolist()
    assert.equal(2, means[1])
    assert.is_true(means[2] ~= means[2])
    assert.same({4, 0}, ops.nansum(x, 2):tolist())
    assert.equal(2, ops.nanmedian(x):item())
  end)

  it("add logarithms without overflow", function()
    assert.near(1000 + math.log(2), ops.logsumexp(engine.tensor{1000.0, 1000.0}):item(), 1e-3)
    assert.equal(-math.huge, ops.logsumexp(engine.tensor{-math.huge, -math.huge}):item())
  end)
end)
