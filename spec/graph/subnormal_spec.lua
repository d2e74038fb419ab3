-- Numbers below the smallest normal one: zero in what is computed, as in JAX and TensorFlow.
local cusp = require "cusp"
local ops = cusp.ops

local smallest = 2 ^ -126 -- of the normal numbers of float32

describe("subnormal numbers", function()
  it("are zero in what is computed, eagerly and compiled, whatever the thread", function()
    local x = ops.full({300000}, smallest)
    local half = cusp.compile(function(t) return t * 0.5 end)
    assert.equal(0, ops.max(x * 0.5):item())
    assert.equal(0, ops.max(half(x)):item())
    assert.equal(smallest, ops.min(x * 1):item())
    assert.equal(0, (cusp.tensor(1e-40) * 1e10):item())
    assert.equal(0, ops.exp(cusp.tensor(-90.0)):item())
  end)

  it("keep their value where nothing is computed", function()
    local tiny = cusp.tensor(1e-40)
    assert.is_true(tiny:item() > 0)
    assert.is_true(ops.reshape(tiny, {1}):item() > 0)
  end)

  it("are what they are in Lua, before and after", function()
    ops.sum(cusp.ones{4} * 2):item()
    local least = 5e-324
    assert.is_true(least > 0 and least * 1.0 > 0 and 2 ^ -1022 * 0.5 > 0)
  end)

  it("do not slow down the averages of an optimizer", function()
    local variable = cusp.Variable(cusp.ones{64})
    local optimizer = cusp.optimizers.Adam(0.001)
    local step = cusp.compile(function(gradient) optimizer:apply({gradient}, {variable}) end)
    step(ops.full({64}, 1e-20))
    for _ = 1, 1200 do step(cusp.zeros{64}) end
    for _, average in ipairs(optimizer.variables) do
      if #average.shape == 1 then
        for _, value in ipairs(average:tolist()) do
          assert.is_true(value == 0 or math.abs(value) >= smallest)
        end
      end
    end
  end)
end)
