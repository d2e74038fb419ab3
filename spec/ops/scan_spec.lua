--- Cumulative sums and products: dtypes, axes, wrapping, zeros in the gradient.
local engine = require "cusp.engine"
local ops = engine.ops

describe("cumsum and cumprod", function()
  local x = engine.tensor{{1, 2, 3}, {4, 5, 6}}

  it("run along an axis, or over all elements", function()
    assert.same({1, 3, 6, 10, 15, 21}, ops.cumsum(x):tolist())
    assert.same({{1, 2, 3}, {5, 7, 9}}, ops.cumsum(x, 1):tolist())
    assert.same({{1, 3, 6}, {4, 9, 15}}, ops.cumsum(x, -1):tolist())
    assert.same({{1, 2, 6}, {4, 20, 120}}, ops.cumprod(x, 2):tolist())
    assert.same({2, 0}, ops.cumsum(ops.zeros{2, 0}, 2).shape)
    local ok, text = pcall(ops.cumsum, x, 3)
    assert.is_false(ok)
    assert.matches("cumsum: axis 3 is out of range for a tensor of 2 axes", text)
  end)

  it("keep the dtype, make int32 of bool, take another", function()
    for _, dtype in ipairs{"int8", "uint16", "int32", "int64", "float16", "bfloat16", "float32",
      "float64"} do
      local sums = ops.cumsum(ops.cast(x, dtype), 2)
      assert.equal(dtype, sums.dtype)
      assert.same({{1, 3, 6}, {4, 9, 15}}, ops.cast(sums, "int32"):tolist())
    end
    assert.equal("int32", ops.cumsum(engine.tensor{true, true}).dtype)
    assert.equal("float64", ops.cumprod(x, 1, "float64").dtype)
    assert.same({100, -56}, ops.cumsum(engine.tensor({100, 100}, {dtype = "int8"})):tolist())
  end)

  it("leave NaN out", function()
    local nan = 0 / 0
    assert.same({1, 1, 3}, ops.nancumsum(engine.tensor{1.0, nan, 2.0}):tolist())
    assert.same({2, 2, 6}, ops.nancumprod(engine.tensor{2.0, nan, 3.0}):tolist())
  end)

  it("run over many lanes and along long axes", function()
    local ones = ops.ones{3, 20000}
    assert.equal(20000, ops.cumsum(ones, 2)[3][20000]:item())
    assert.equal(20000, ops.cumsum(ops.transpose(ones), 1)[20000][2]:item())
  end)

  it("have gradients where elements are 0", function()
    for _, data in ipairs{{2.0, 0.0, 3.0, 4.0}, {0.0, 5.0, 0.0, 2.0}, {0.0}} do
      local p = engine.tensor(data, {dtype = "float64"})
      local tape <close> = engine.tape()
      tape:watch(p)
      local got = tape:gradient({ops.sum(ops.cumprod(p))}, {p})[1]:tolist()
      for i = 1, #data do -- the sum is linear in each element: the slope is a difference
        local function total(value)
          local sum, product = 0, 1
          for k = 1, #data do
            product = product * (k == i and value or data[k])
            sum = sum + product
          end
          return sum
        end
        assert.near(total(1) - total(0), got[i], 1e-12)
      end
    end
  end)
end)
