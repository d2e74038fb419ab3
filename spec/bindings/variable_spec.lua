local engine = require "cusp.engine"
local message = require "spec.support.message"

describe("engine.variable", function()
  it("holds a value that changes", function()
    local v = engine.variable({1.0, 2.0})
    assert.same({2}, v.shape)
    assert.equal("float32", v.dtype)
    assert.equal(1, v.ndim)
    assert.is_true(v.trainable)
    assert.equal(v, v:assign({3, 4}))
    assert.same({3, 4}, v:tolist())
    v:assign_add(1)
    v:assign_sub({1, 2})
    assert.same({3, 3}, v.value:tolist())
    v:assign(0)
    assert.same({0, 0}, v:tolist())
    assert.equal("float32", v.dtype)
  end)

  it("leaves what was read from it as it was", function()
    local v = engine.variable({1.0, 2.0})
    local y, before = v * 2, v.value
    v:assign({5, 5})
    assert.same({2, 4}, y:tolist())
    assert.same({1, 2}, before:tolist())
  end)

  it("is not changed by what it was made from", function()
    local t = engine.tensor({1.0, 2.0})
    local v = engine.variable(t)
    v:assign_add(1)
    assert.same({1, 2}, t:tolist())
  end)

  it("stands where a tensor can", function()
    local v = engine.variable({{1.0, 2.0}}, {dtype = "float64", trainable = false})
    assert.equal("float64", v.dtype)
    assert.is_false(v.trainable)
    assert.same({{2, 3}}, (v + 1):tolist())
    assert.same({{2, 3}}, (1 + v):tolist())
    assert.same({1, 2}, v[1]:tolist())
    assert.equal(3, v:sum():item())
    assert.equal(2, v:item(1, 2))
    assert.equal(1, #v)
    assert.same({{-1, -2}}, (-v):tolist())
    assert.is_true(engine.is_variable(v))
    assert.is_false(engine.is_variable(v.value))
  end)

  it("has fields of Lua's own", function()
    local v = engine.variable(1)
    assert.is_nil(v.name)
    v.name, v.regularizer = "kernel", {0.1}
    assert.equal("kernel", v.name)
    assert.same({0.1}, v.regularizer)
    v.name = nil
    assert.is_nil(v.name)
    v.trainable = false
    assert.is_false(v.trainable)
    assert.matches("v:assign(value)", message(function() v.value = 3 end), 1, true)
    assert.matches("v:assign(value)", message(function() v[1] = 3 end), 1, true)
  end)

  it("prints with its name", function()
    local v = engine.variable({1, 2})
    assert.equal("Variable([1, 2], shape = {2}, dtype = int32)", tostring(v))
    v.name = "kernel"
    assert.equal('Variable([1, 2], shape = {2}, dtype = int32, name = "kernel")', tostring(v))
  end)

  it("does not keep a large tensor of which it holds a part", function()
    local before = engine.memory().live
    local v = engine.variable({1.0, 2.0})
    do
      local large <close> = engine.ops.sin(engine.ops.arange(1000000, {dtype = "float32"}))
      engine.evaluate{large}
      v:assign(large:slice{{1, 2}})
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(engine.memory().live - before < 1000000)
    assert.near(math.sin(1), v:item(2), 1e-6)
  end)

  it("refuses values of another shape, at the user's line", function()
    local v = engine.variable({1, 2})
    local text = message(function() v:assign({1, 2, 3}) end)
    assert.matches(
      "variable_spec.lua:%d+: assign: the variable has shape %[2%] but the value has shape %[3%]",
      text)
    assert.same({1, 2}, v:tolist())
    assert.matches("assign: ", message(v.assign, v, "x"), 1, true)
    assert.matches("assign: expected a variable, got a tensor",
      message(v.assign, engine.tensor(1), 1), 1, true)
  end)
end)
