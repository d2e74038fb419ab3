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
    local i, sum = ops.while_loop(function(i) return i < 5 end, function(i, s)
      return i + 1, s + i
    end, {0, 0})
    assert.same({5, 10}, {i, sum})
    assert.equal(3, ops.fori_loop(0, 3, function(step, v)
      return v + step
    end, cusp.tensor(0)):item())
  end)

  it("give the values that variables had, traced or not", function()
    local v, u = cusp.Variable(1.0), cusp.Variable(2.0)
    local function of_branch(p)
      local kept = ops.cond(p, function() return v end, function() return u end)
      local named = ops.switch(ops.cast(p, "int32"), {function()
        return {a = v}
      end, function() return {a = u} end})
      v:assign_add(1)
      return kept * 1, named.a * 1
    end
    local function of_loop(n)
      local i, kept = ops.while_loop(function(i) return ops.less(i, n) end, function(i, x)
        v:assign_add(x)
        return i + 1, v
      end, {0, u})
      local last = ops.fori_loop(0, n, function(_, x) u:assign(x) return v end, u)
      u:assign(9)
      return i, kept * 1, last * 1
    end
    local function run(f, ...)
      v:assign(1)
      u:assign(2)
      local results = {}
      for i, result in ipairs{f(...)} do
        results[i] = type(result) == "number" and result or result:item()
      end
      return results
    end
    for _, f in ipairs{function(g) return g end, cusp.compile} do
      assert.same({1, 2}, run(f(of_branch), cusp.tensor(true)))
      assert.same({2, 1}, run(f(of_branch), cusp.tensor(false)))
      assert.same({2, 6, 6}, run(f(of_loop), cusp.tensor(2)))
      assert.same({0, 2, 2}, run(f(of_loop), cusp.tensor(0)))
    end
  end)

  it("trace long loops once, whose conditions compare scalars", function()
    local rounds
    local function repeated(condition, body, options)
      rounds = 0
      return function(n)
        local i, x = ops.while_loop(function(i) return condition(i, n) end, function(i, x)
          rounds = rounds + 1
          return i + 1, body(i, x)
        end, {cusp.tensor(0), cusp.tensor{1.0, 2.0}}, options)
        return i, x
      end
    end
    local function below(i, n) return i < n end
    local function grow(_, x) return x * 1.25 - 1 end
    local function check(most, n, condition, body, options)
      local eager = {repeated(condition, body, options)(n)}
      local traced = {cusp.compile(repeated(condition, body, options))(n)}
      assert.is_true(rounds <= most, tostring(rounds))
      assert.equal(eager[1]:item(), traced[1]:item())
      assert.same(eager[2]:tolist(), traced[2]:tolist())
    end
    check(1, cusp.tensor(100), function(i, n) return ops.less(i, n) end, grow)
    check(33, 100, below, grow)
    check(33, 100, below, grow, {maximum_iterations = 60})
    check(33, 100, function(i, n) return n - 1 >= i end, grow)
    -- what asks for values is unrolled
    check(101, 100, below, function(i, x) return i:item() > 50 and x + 1 or x end)
    check(101, 40, below, function(_, x) return ops.concatenate({x, cusp.tensor{1.0}}, 1) end)
    check(100, 100, function(i, n) return i < n and i < 50 end, grow)
  end)

  it("compare what a trace computes in the condition of a loop, there alone", function()
    local f = cusp.compile(function(x)
      return (select(2, ops.while_loop(function(i) return i < ops.max(x) end, function(i, v)
        return i + 1, v * 2
      end, {ops.min(x), 1.0})))
    end)
    assert.equal(8, f(cusp.tensor{2.0, 5.0}):item())
    assert.equal(1, f(cusp.tensor{2.0, 2.0}):item())
    assert.has_error(function()
      cusp.compile(function(x)
        local larger = x > 1
        return larger
      end)(cusp.tensor(2.0))
    end)
  end)

  it("scan and map along the first axis", function()
    local carry, ys = ops.scan(function(c, x)
      return c + x, c
    end, cusp.tensor(0.0), cusp.tensor{1.0, 2.0, 3.0})
    assert.equal(6, carry:item())
    assert.same({0, 1, 3}, ys:flat())
    assert.same({{2, 4}, {6, 8}}, ops.map(function(x)
      return x * 2
    end, cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}):tolist())
    local add = function(a, b) return a + b end
    assert.same({1, 3, 6, 10, 15},
      ops.associative_scan(add, cusp.tensor{1.0, 2.0, 3.0, 4.0, 5.0}):flat())
    assert.same({15, 14, 12, 9, 5},
      ops.associative_scan(add, cusp.tensor{1.0, 2.0, 3.0, 4.0, 5.0}, {reverse = true}):flat())
  end)

  it("vectorize with broadcasting and signatures", function()
    local f = ops.vectorize(function(a, b) return a * b + 1 end)
    assert.same({{11, 41}, {31, 81}},
      f(cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}, cusp.tensor{10.0, 20.0}):tolist())
    local dot = ops.vectorize(function(a, b) return a:dot(b) end, {signature = "(n),(n)->()"})
    assert.same({3, 3}, dot(cusp.ones{2, 3}, cusp.ones{3}):flat())
  end)
end)
