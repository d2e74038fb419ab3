local cusp = require "cusp"
local engine = require "cusp.engine"
local message = require "spec.support.message"

describe("engine.tape", function()
  it("gives gradients of watched tensors and of variables", function()
    local tape <close> = engine.tape()
    local x, v, other = engine.tensor({1.0, 2.0}), engine.variable({3.0, 4.0}),
      engine.variable({1.0})
    tape:watch(x)
    local y = (x * x * v):sum()
    local gradients = tape:gradient({y}, {x, v, other})
    assert.same({6, 16}, gradients[1]:tolist())
    assert.same({1, 4}, gradients[2]:tolist())
    assert.is_false(gradients[3])
  end)

  it("sums over all the readings of a variable", function()
    local tape <close> = engine.tape()
    local v = engine.variable({2.0})
    local y = v * v
    v:assign({5})
    y = y + v * 3
    assert.same({7}, tape:gradient({y}, {v})[1]:tolist())
  end)

  it("counts more readings than fit into its first buffer", function()
    local tape <close> = engine.tape()
    local v = engine.variable({1.0})
    local y = v * 0
    for i = 1, 100 do
      v:assign({i})
      y = y + v
    end
    assert.same({100}, tape:gradient({y}, {v})[1]:tolist())
  end)

  it("takes cotangents, and false for those that are ones", function()
    local tape <close> = engine.tape()
    local v = engine.variable({1.0, 2.0})
    local a, b = v * 2, v * 3
    assert.same({22, 203},
      tape:gradient({a, b}, {v}, {engine.tensor({9.5, 100.0}), false})[1]:tolist())
  end)

  it("differentiates gradients", function()
    local outer <close> = engine.tape()
    local v = engine.variable({2.0})
    local inner <close> = engine.tape()
    local first = inner:gradient({v * v * v}, {v})[1]
    assert.same({12}, first:tolist())
    assert.same({12}, outer:gradient({first}, {v})[1]:tolist())
  end)

  it("records nothing while paused or closed", function()
    local tape = engine.tape()
    local v = engine.variable({2.0})
    tape:pause(true)
    local y = v * v
    tape:pause(false)
    assert.is_false(tape:gradient({y}, {v})[1])
    tape:close()
    tape:close()
    assert.matches("the tape is closed", message(tape.gradient, tape, {y}, {v}), 1, true)
  end)

  it("ends with the trace that it was opened in", function()
    local v, tape = cusp.Variable(2.0), nil
    local f = cusp.compile(function(x)
      tape = cusp.GradientTape{persistent = true}
      return tape:gradient(v * x, v)
    end)
    assert.equal(3, f(cusp.tensor(3.0)):item())
    assert.is_false(engine.recording())
    assert.equal(4, f(cusp.tensor(4.0)):item())
    local _ <close> = cusp.GradientTape()
    assert.equal(5, f(cusp.tensor(5.0)):item())
    tape:close()
    assert.is_true(engine.recording())
  end)

  it("names what is no tensor", function()
    local tape <close> = engine.tape()
    local v = engine.variable({2.0})
    assert.matches("source 1 should be a tensor or a variable, got 3",
      message(tape.gradient, tape, {v * 2}, {3}), 1, true)
    assert.matches("the targets should be a list", message(tape.gradient, tape, v * 2, {v}), 1,
      true)
    assert.matches("target 1: expected a tensor", message(tape.gradient, tape, {print}, {v}), 1,
      true)
    assert.matches("watch: expected a tensor, got nil", message(tape.watch, tape), 1, true)
  end)
end)
