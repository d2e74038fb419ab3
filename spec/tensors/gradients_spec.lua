local cusp = require "cusp"

describe("GradientTape", function()
  it("differentiates with respect to tensors and variables, in nested tables", function()
    local x, v = cusp.tensor{1.0, 2.0}, cusp.Variable(3.0)
    local tape <close> = cusp.GradientTape{persistent = true}
    tape:watch(x)
    local y = (x * x * v):sum()
    assert.same({6, 12}, tape:gradient(y, x):flat())
    local result = tape:gradient(y, {a = x, b = {v, cusp.tensor(1.0)}})
    assert.equal(5, result.b[1]:item())
    assert.is_false(result.b[2])
    assert.is_nil(tape:gradient(y, {c = cusp.tensor(1.0)}).c)
  end)

  it("gives gradients once unless it is persistent", function()
    local x = cusp.tensor(2.0)
    local tape = cusp.GradientTape()
    tape:watch(x)
    local y = x * x
    assert.equal(4, tape:gradient(y, x):item())
    local ok, message = pcall(tape.gradient, tape, y, x)
    assert.is_false(ok)
    assert.matches("persistent", message)
  end)

  it("stops recording on demand and takes output gradients", function()
    local x = cusp.tensor{1.0, 2.0}
    local tape <close> = cusp.GradientTape{persistent = true}
    tape:watch(x)
    local y = x * 3
    assert.same({3, 30}, tape:gradient(y, x, {output_gradients = cusp.tensor{1.0, 10.0}}):flat())
    local z = tape:stop_recording(function() return x * 2 end)
    assert.is_nil(tape:gradient(z, x))
  end)
end)

describe("the further methods of a tape", function()
  local x = cusp.tensor{1.0, 2.0, 3.0}
  local a = cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}

  it("jacobian differentiates each element, in the structure of the sources", function()
    local tape <close> = cusp.GradientTape{persistent = true}
    tape:watch(x)
    local y = cusp.ops.outer(x, x)
    local jacobian = tape:jacobian(y, {x, a})
    assert.same({3, 3, 3}, cusp.shape(jacobian[1].shape))
    for i = 1, 3 do
      for j = 1, 3 do
        for k = 1, 3 do
          assert.equal((i == k and j or 0) + (j == k and i or 0), jacobian[1]:item(i, j, k))
        end
      end
    end
    assert.is_false(jacobian[2])
    assert.same({2, 4, 6}, tape:jacobian((x * x):sum(), x):flat())
  end)

  it("batch_jacobian differentiates row by row", function()
    local tape = cusp.GradientTape()
    tape:watch(a)
    local w = cusp.tensor{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}
    local jacobian = tape:batch_jacobian(a:matmul(w), a)
    assert.same({2, 3, 2}, cusp.shape(jacobian.shape))
    assert.same({1, 4, 2, 5, 3, 6, 1, 4, 2, 5, 3, 6}, jacobian:flat())
    local again <close> = cusp.GradientTape()
    again:watch(a)
    local ok, message = pcall(again.batch_jacobian, again, x, a)
    assert.is_false(ok)
    assert.matches("one first axis, got shapes %[3%] and %[2, 2%]", message)
  end)

  it("reset forgets, and unconnected_gradients may be zeros", function()
    local tape <close> = cusp.GradientTape{persistent = true}
    tape:watch(a)
    local y = a * 2
    assert.same({0, 0, 0}, tape:gradient(y, x, {unconnected_gradients = "zero"}):flat())
    tape:reset()
    assert.is_nil(tape:gradient(y, a))
  end)
end)

describe("grad and value_and_grad", function()
  it("give gradients by chosen arguments, of any order", function()
    local cube = function(x) return (x * x * x):sum() end
    assert.same({3, 12}, cusp.grad(cube)(cusp.tensor{1.0, 2.0}):flat())
    assert.equal(12, cusp.grad(function(x) return cusp.grad(cube)(x) end)(2.0):item())
    local value, gradient = cusp.value_and_grad(function(a, b)
      return a * b
    end, 2)(cusp.tensor(3.0), cusp.tensor(4.0))
    assert.same({12, 3}, {value:item(), gradient:item()})
    local both = cusp.grad(function(a, b)
      return a * b
    end, {1, 2})(cusp.tensor(3.0), cusp.tensor(4.0))
    assert.same({4, 3}, {both[1]:item(), both[2]:item()})
  end)

  it("say when the function gives no scalar", function()
    local ok, message = pcall(cusp.grad(function(x) return x end), cusp.ones{2})
    assert.is_false(ok)
    assert.matches("scalar", message)
  end)
end)

describe("compile", function()
  it("keeps the plans of the latest signatures", function()
    local traced = 0
    local f = cusp.compile(function(x, n)
      traced = traced + 1
      return x * n
    end)
    for n = 1, 20 do assert.are.equal(n, f(cusp.ones{2}, n):item(1)) end
    for n = 1, 20 do assert.are.equal(n, f(cusp.ones{2}, n):item(2)) end
    assert.are.equal(20, traced)
    for n = 21, 100 do f(cusp.ones{2}, n) end
    f(cusp.ones{2}, 100)
    assert.are.equal(100, traced)
    assert.are.equal(1, f(cusp.ones{2}, 1):item(2))
    assert.are.equal(101, traced)
  end)

  it("traces once for each signature and keeps the structure of results", function()
    local traced = 0
    local f = cusp.compile(function(x, options)
      traced = traced + 1
      return {sum = x:sum(), factor = options.factor}, x * options.factor
    end)
    for i = 1, 3 do
      local results, scaled = f(cusp.full({2}, i + 0.0), {factor = 2})
      assert.same({2 * i, 2}, {results.sum:item(), results.factor})
      assert.same({2 * i, 2 * i}, scaled:flat())
    end
    assert.equal(1, traced)
    f(cusp.ones{3}, {factor = 2})
    f(cusp.ones{2}, {factor = 3})
    assert.equal(3, traced)
  end)

  it("reads and assigns variables in each call", function()
    local v = cusp.Variable(1.0)
    local step = cusp.compile(function(x) v:assign_add(x) return v.value * 2 end)
    assert.equal(4, step(cusp.tensor(1.0)):item())
    assert.equal(6, step(cusp.tensor(1.0)):item())
    assert.equal(3, v.value:item())
  end)

  it("is differentiable", function()
    local f = cusp.compile(function(x) return (x * x):sum() end)
    assert.same({2, 4}, cusp.grad(f)(cusp.tensor{1.0, 2.0}):flat())
  end)
end)
