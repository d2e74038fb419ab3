local cusp = require "cusp"
local ops = cusp.ops

describe("operations that take functions", function()
  it("choose a branch, in a trace too", function()
    assert.equal(1, ops.cond(true, function() return 1 end, function() return 2 end))
    local f = cusp.compile(function(x)
      return ops.cond(ops.greater(x:sum(), 0), function() return x end, function() return x * 0 end)
    end)
    assert.same({1, 1}, f(cusp.ones{2}):flat())
    assert.same({0, 0}, f(cusp.ones{2} * -1):flat())
    assert.equal(7, ops.switch(1, {function(x) return x + 1 end, function(x) return x + 2 end}, 5))
  end)

  it("loop", function()
    local i, sum = ops.while_loop(function(i) return i < 5 end, function(i, s) return i + 1, s + i end, {0, 0})
    assert.same({5, 10}, {i, sum})
    assert.equal(3, ops.fori_loop(0, 3, function(step, v) return v + step end, cusp.tensor(0)):item())
  end)

  it("scan and map along the first axis", function()
    local carry, ys = ops.scan(function(c, x) return c + x, c end, cusp.tensor(0.0), cusp.tensor{1.0, 2.0, 3.0})
    assert.equal(6, carry:item())
    assert.same({0, 1, 3}, ys:flat())
    assert.same({{2, 4}, {6, 8}}, ops.map(function(x) return x * 2 end, cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}):tolist())
    local add = function(a, b) return a + b end
    assert.same({1, 3, 6, 10, 15}, ops.associative_scan(add, cusp.tensor{1.0, 2.0, 3.0, 4.0, 5.0}):flat())
    assert.same({15, 14, 12, 9, 5}, ops.associative_scan(add, cusp.tensor{1.0, 2.0, 3.0, 4.0, 5.0}, {reverse = true}):flat())
  end)

  it("vectorize with broadcasting and signatures", function()
    local f = ops.vectorize(function(a, b) return a * b + 1 end)
    assert.same({{11, 41}, {31, 81}}, f(cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}, cusp.tensor{10.0, 20.0}):tolist())
    local dot = ops.vectorize(function(a, b) return a:dot(b) end, {signature = "(n),(n)->()"})
    assert.same({3, 3}, dot(cusp.ones{2, 3}, cusp.ones{3}):flat())
  end)
end)
