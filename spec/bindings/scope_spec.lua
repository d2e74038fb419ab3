local engine = require "cusp.engine"

local function thrown(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok)
  return problem
end

describe("engine.attempt", function()
  it("gives what pcall gives", function()
    assert.same({true, 1, nil, 3}, {engine.attempt(function(...) return ... end, 1, nil, 3)})
    local problem = {}
    assert.same({false, problem}, {engine.attempt(error, problem)})
  end)

  it("lets an interrupt through, with and without a place in front", function()
    assert.equal("interrupted!", thrown(engine.attempt, error, "interrupted!", 0))
    assert.equal("a.lua:1: interrupted!", thrown(engine.attempt, error, "a.lua:1: interrupted!", 0))
    assert.same({true, false, false},
      {engine.is_interrupt "interrupted!", engine.is_interrupt "x", engine.is_interrupt(nil)})
  end)

  it("can be yielded across, as all calls within something can", function()
    for _, call in ipairs{engine.attempt, engine.untraced} do
      local thread = coroutine.wrap(function()
        return call(function() return coroutine.yield(1) end)
      end)
      assert.equal(1, thread())
      thread(2)
    end
  end)
end)

describe("engine.with_fields", function()
  it("sets fields for a call, and sets them back", function()
    local t = {a = 1}
    assert.equal(5, engine.with_fields({t, "a", 2, t, "b", 3, t, "a", 4}, function()
      return t.a + 1
    end))
    assert.same({a = 1}, t)
    thrown(engine.with_fields, {t, "a", 2, t, "b", 3}, error, "x")
    assert.same({a = 1}, t)
  end)
end)

describe("engine.traced", function()
  it("ends the trace with the call", function()
    local f = engine.traced(function(trace, factor)
      return trace:compile{trace:placeholder({2}, "float32") * factor}
    end, 3)
    assert.same({3, 6}, f(engine.tensor{1.0, 2.0}):tolist())
    thrown(engine.traced, error)
    assert.is_false(engine.tracing())
  end)
end)

describe("engine.assign_all", function()
  it("assigns all, or none where one does not fit or cannot be computed", function()
    local a, b = engine.variable{1.0, 2.0}, engine.variable{3.0}
    engine.assign_all({a, b}, {engine.tensor{5, 6}, b + 1})
    assert.same({{5, 6}, {4}}, {a:tolist(), b:tolist()})
    thrown(engine.assign_all, {a, b}, {a * 2, a})
    local bad = engine.ops.take(a, engine.tensor({7}, {dtype = "int32"}), 1)
    thrown(engine.assign_all, {a, b}, {a * 2, bad})
    thrown(engine.assign_all, {a, b}, {a * 2})
    assert.same({{5, 6}, {4}}, {a:tolist(), b:tolist()})
  end)

  it("exchanges values", function()
    local a, b = engine.variable{1.0}, engine.variable{2.0}
    engine.assign_all({a, b}, {b, a})
    assert.same({{2}, {1}}, {a:tolist(), b:tolist()})
  end)
end)
