--- Prefixes joined by an associative function: as a loop over the items finds them.
local cusp = require "cusp"
local ops = cusp.ops

-- Linear recurrences: not commutative.
local function join(a, b)
  return {slope = a.slope * b.slope, shift = b.slope * a.shift + b.shift}
end

local function small_integers(shape, dtype)
  return ops.cast(cusp.random.randint(shape, -2, 3), dtype or "float32")
end

local function one_by_one(f, list, reverse)
  local found, last = {}, nil
  for step = 1, #list do
    local i = reverse and #list + 1 - step or step
    last = last and f(last, list[i]) or list[i]
    found[i] = last
  end
  return found
end

describe("associative_scan", function()
  it("finds prefixes of every length, in both directions", function()
    for size = 1, 20 do
      local slopes, shifts = small_integers{size}, small_integers{size}
      local list = {}
      for i = 1, size do list[i] = {slope = slopes:item(i), shift = shifts:item(i)} end
      for _, reverse in ipairs{false, true} do
        local right, slope, shift = one_by_one(join, list, reverse), {}, {}
        for i = 1, size do slope[i], shift[i] = right[i].slope, right[i].shift end
        local found = ops.associative_scan(join, {slope = slopes, shift = shifts},
          {reverse = reverse})
        assert.same(slope, found.slope:tolist())
        assert.same(shift, found.shift:tolist())
      end
    end
  end)

  it("works along any axis and in any dtype", function()
    local x = small_integers{3, 7, 2}
    for _, dtype in ipairs{"float32", "float64", "float16", "bfloat16", "int8", "int32", "int64"} do
      local typed = ops.cast(x, dtype)
      for axis = 1, 3 do
        local found = ops.associative_scan(ops.add, typed, {axis = axis})
        assert.equal(dtype, found.dtype)
        assert.same(ops.cumsum(x, {axis = axis}):flat(), ops.cast(found, "float32"):flat())
        assert.same(found:flat(), ops.associative_scan(ops.add, typed, {axis = axis - 4}):flat())
      end
    end
    assert.same({true, true, false, false},
      ops.associative_scan(ops.logical_and, cusp.tensor{true, true, false, true}):tolist())
    assert.same({0, 2}, ops.associative_scan(ops.add, cusp.ones{0, 2}).shape)
  end)

  it("works on tensors of as many axes as there can be", function()
    for axis = 1, 8 do
      local shape = {2, 1, 1, 3, 1, 1, 1, 2}
      shape[axis] = 5
      local x = small_integers(shape)
      local found = ops.associative_scan(ops.add, x, {axis = axis})
      assert.same(ops.cumsum(x, axis):tolist(), found:tolist())
    end
  end)

  it("gives the same numbers in a trace, with gradients of any order", function()
    local matrices = cusp.random.uniform({37, 2, 2}, 0.5, 1)
    local function gradients(x)
      local outer <close> = cusp.GradientTape()
      outer:watch(x)
      local inner <close> = cusp.GradientTape()
      inner:watch(x)
      local y = ops.associative_scan(ops.matmul, x)
      local dx = inner:gradient(ops.sum(y * y), x)
      return y, dx, outer:gradient(ops.sum(dx * dx), x)
    end
    local eager, traced = {gradients(matrices)}, {cusp.compile(gradients)(matrices)}
    for i = 1, 3 do assert.same(eager[i]:flat(), traced[i]:flat()) end
    local sums = cusp.tensor{1.0, 2.0, 3.0}
    local tape <close> = cusp.GradientTape()
    tape:watch(sums)
    local total = ops.sum(ops.associative_scan(ops.add, sums))
    assert.same({3, 2, 1}, tape:gradient(total, sums):tolist())
  end)

  it("calls the function twice for each doubling of the length", function()
    local calls = 0
    local f = cusp.compile(function(x)
      return ops.associative_scan(function(a, b)
        calls = calls + 1
        return a + b
      end, x)
    end)
    assert.equal(100000, f(cusp.ones{100000}):item(100000))
    assert.is_true(calls <= 34)
  end)

  it("says what the function should return", function()
    local function message(f, elems)
      local ok, text = pcall(ops.associative_scan, f, elems)
      assert.is_false(ok)
      return tostring(text)
    end
    local x = cusp.ones{4, 2}
    assert.matches("of its arguments, it returned nil", message(function() end, x), 1, true)
    assert.matches("for float32 [2, 2] it returned float32 []",
      message(function(a) return a:sum() end, x), 1, true)
    assert.matches("it returned float32 [2]",
      message(function(a) return a * 0.5 end, cusp.tensor{1, 2, 3, 4}), 1, true)
    assert.matches("expected 3 along axis 1, got shape [4, 2]",
      message(join, {elems = {slope = x, shift = cusp.ones{3}}}), 1, true)
  end)
end)
