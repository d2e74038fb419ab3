-- Products of int8: sums in int32 whatever the layout, and those of quantized rows.
local cusp = require "cusp"
local engine = require "cusp.engine"

local ops = cusp.ops

local function integers(...)
  local draw = cusp.random.randint({...}, -128, 128, {seed = select("#", ...) + (...)})
  return ops.cast(draw, "int8")
end

local function differing(a, b) return ops.count_nonzero(ops.not_equal(a, b)):item() end

describe("int8", function()
  it("sums of matmul are those of int32", function()
    for _, size in ipairs{{1, 1, 1}, {33, 70, 17}, {100, 64, 48}, {5, 1300, 40}, {0, 4, 3}} do
      local a, b = integers(size[1], size[2]), integers(size[2], size[3])
      local want = ops.matmul(ops.cast(a, "int32"), ops.cast(b, "int32"))
      local turned = ops.transpose(ops.transpose(b) + ops.cast(0, "int8"))
      for _, right in ipairs{b, turned} do
        local got = ops.matmul(a, right)
        assert.are.equal("int32", got.dtype)
        assert.are.equal(0, differing(got, want))
      end
      assert.are.equal(0, differing(ops.matmul(ops.transpose(b), ops.transpose(a)),
        ops.transpose(want)))
    end
  end)

  it("sums of stacks of matrices, of vectors and of einsum are those of int32", function()
    local a, b = integers(3, 40, 33), integers(3, 33, 70)
    local wide_a, wide_b = ops.cast(a, "int32"), ops.cast(b, "int32")
    assert.are.equal(0, differing(ops.matmul(a, b), ops.matmul(wide_a, wide_b)))
    assert.are.equal(0, differing(ops.matmul(a, b[1]), ops.matmul(wide_a, wide_b[1])))
    assert.are.equal(0, differing(ops.matmul(a[1][1], b), ops.matmul(wide_a[1][1], wide_b)))
    assert.are.equal(0, differing(ops.einsum("abc,acd->dab", a, b),
      ops.einsum("abc,acd->dab", wide_a, wide_b)))
  end)

  local function composed(x, kernel, scale, low, high, epsilon)
    local rows = ops.divide(high, ops.add(ops.max(ops.abs(x), {axis = -1, keepdims = true}),
      epsilon))
    local whole = ops.cast(ops.clip(ops.round(ops.multiply(x, rows)), low, high), "int32")
    local sums = ops.matmul(whole, ops.cast(kernel, "int32"))
    return ops.divide(ops.cast(sums, "float32"), ops.multiply(scale, rows))
  end

  it("quantized_matmul is what it is composed of", function()
    for _, size in ipairs{{1, 1, 1}, {33, 70, 17}, {2, 1300, 40}, {64, 32, 96}} do
      local x = cusp.random.normal({2, size[1], size[2]}, {seed = 3})
      local scale = cusp.random.uniform({size[3]}, 1, 9, {seed = 4})
      local kernel = integers(size[2], size[3])
      assert.are.equal(0, differing(engine.ops.quantized_matmul(x, kernel, scale),
        composed(x, kernel, scale, -127, 127, 1e-7)))
      local options = {low = -100, high = 50, epsilon = 0.5}
      assert.are.equal(0, differing(engine.ops.quantized_matmul(x, kernel, scale, options),
        composed(x, kernel, scale, -100, 50, 0.5)))
    end
  end)

  it("quantized_matmul has the gradient of the matrix that the integers stand for", function()
    local x, kernel = cusp.random.normal({3, 5}, {seed = 1}), integers(5, 4)
    local scale = cusp.random.uniform({4}, 1, 9, {seed = 2})
    local tape <close> = cusp.GradientTape()
    tape:watch(x)
    local gradient = tape:gradient(ops.sum(engine.ops.quantized_matmul(x, kernel, scale)), x)
    local want = ops.matmul(ops.ones{3, 4}, ops.transpose(ops.cast(kernel, "float32") / scale))
    assert.is_true(ops.max(ops.abs(gradient - want)):item() < 1e-4)
  end)
end)
