-- The quick comparison of captured values, and the other small functions of a step.
local cusp = require "cusp"
local engine = require "cusp.engine"

local absent = {}

local function watch_of(kind, of, copy, counted)
  return engine.watch({{kind = kind, of = of, copy = copy, counted = counted}}, absent)
end

describe("engine.watch", function()
  it("sees values of each type change", function()
    local f, t = function() end, {}
    local of = {a = 1, b = 2.5, c = "text", d = true, e = f, g = t, [1] = ("x"):rep(100)}
    local copy = {}
    for key, value in pairs(of) do copy[key] = value end
    local watch = watch_of("table", of, copy)
    assert.is_true(watch:same())
    for key, other in pairs{a = 1.0, b = 2.75, c = "texts", d = false, e = print, g = {}} do
      local before = of[key]
      of[key] = other
      assert.is_false(watch:same(), key)
      of[key] = nil
      assert.is_false(watch:same(), key)
      of[key] = before
      assert.is_true(watch:same(), key)
    end
  end)

  it("counts the entries of a table where it is asked to", function()
    local of = {1, 2}
    local loose, strict = watch_of("table", of, {1, 2}), watch_of("table", of, {1, 2}, true)
    of[3] = 3
    assert.is_true(loose:same())
    assert.is_false(strict:same())
  end)

  it("sees each change of a counted table, in whichever order its entries lie", function()
    local function backwards()
      local list = {}
      for i = 5, 1, -1 do list[i] = i end
      return list
    end
    local cases = {function() return {} end, function() return {1, 2, 3} end, backwards,
      function() return {1, 2, name = 3} end, function() return {[2] = 1, [4] = 2} end}
    for _, new in ipairs(cases) do
      local of = new()
      local watch = watch_of("table", of, new(), true)
      assert.is_true(watch:same())
      for _, key in ipairs{1, 2, 3, 6, "name", "other"} do
        local before = of[key]
        of[key] = 7
        assert.is_false(watch:same())
        of[key] = before
        assert.is_true(watch:same())
      end
    end
  end)

  it("compares more names than it keeps at hand", function()
    local of, copy = {}, {}
    for i = 1, 300 do of["name" .. i], copy["name" .. i] = i, i end
    local watch = watch_of("table", of, copy)
    assert.is_true(watch:same())
    for _, i in ipairs{1, 17, 128, 129, 300} do
      of["name" .. i] = 0
      assert.is_false(watch:same())
      of["name" .. i] = i
    end
    assert.is_true(watch:same())
  end)

  it("sees upvalues, globals and lengths", function()
    local up
    local function f() return up end
    local upvalues = watch_of("function", f, {absent})
    assert.is_true(upvalues:same())
    up = 1
    assert.is_false(upvalues:same())
    local environment = {}
    local globals = watch_of("globals", environment, {name = absent})
    assert.is_true(globals:same())
    environment.name = 1
    assert.is_false(globals:same())
    local list = {1, 2, 3}
    local length = watch_of("length", list, {3})
    assert.is_true(length:same())
    list[4] = 4
    assert.is_false(length:same())
  end)

  it("refuses what is no list of records", function()
    assert.is_false(pcall(engine.watch, 1))
    assert.is_false(pcall(engine.watch, {{kind = "table"}}, absent))
    assert.is_false(pcall(engine.watch({}, absent).same, {}))
  end)
end)

describe("engine.contiguous", function()
  it("gives a tensor that lies in order itself, and a copy of another", function()
    local t = cusp.ops.reshape(cusp.ops.arange(6), {2, 3})
    assert.are.equal(t, engine.contiguous(t))
    assert.are.same({{0, 3}, {1, 4}, {2, 5}}, engine.contiguous(cusp.ops.transpose(t)):tolist())
  end)
end)

describe("engine.types_text", function()
  it("tells dtypes and shapes apart", function()
    assert.are.equal("float32[2, 3];int32[]",
      engine.types_text{cusp.ones{2, 3}, engine.tensor(1, {dtype = "int32"})})
    assert.are.equal("", engine.types_text{})
    assert.is_false(pcall(engine.types_text, {1}))
    local closed
    do
      local open <close> = cusp.ones{2}
      closed = open
    end
    assert.is_nil(engine.types_text{cusp.ones{2}, closed})
  end)
end)

describe("engine.label_outside", function()
  it("finds a class id below 0, or else one that is too large", function()
    local labels = engine.tensor({0, 3, 7}, {dtype = "int32"})
    assert.is_nil(engine.label_outside(labels, 8))
    assert.are.equal(7, engine.label_outside(labels, 7))
    assert.is_nil(engine.label_outside(labels, 7, 7))
    assert.are.equal(-1, engine.label_outside(engine.tensor{{-1.0, 9.0}}, 7))
    assert.is_nil(engine.label_outside(engine.tensor({-1, 2}, {dtype = "int64"}), 7, -1))
  end)
end)

describe("a deferred variable", function()
  local function deferred() return engine.variable(cusp.ones{3} * 2, {deferred = true}) end

  it("is computed when it is read, traced or printed", function()
    assert.are.same({2, 2, 2}, deferred():tolist())
    assert.are.same({4, 4, 4}, (deferred() * 2):tolist())
    local v = deferred()
    local double = cusp.compile(function() return v * 2 end)
    assert.are.same({4, 4, 4}, double():tolist())
    assert.truthy(tostring(deferred()):find "2")
    v = deferred()
    v:assign_add(1)
    assert.are.same({3, 3, 3}, v:tolist())
  end)

  it("is not computed where it is assigned before, or only kept", function()
    local v, before = deferred(), engine.stats().nodes_evaluated
    local kept = engine.unread_value(v)
    assert.are.equal(before, engine.stats().nodes_evaluated)
    v:assign(cusp.ones{3})
    assert.are.same({1, 1, 1}, v:tolist())
    v:assign(kept)
    assert.are.same({2, 2, 2}, v:tolist())
  end)

  it("may be what many operations lead to", function()
    local t = cusp.ones{2}
    for _ = 1, 60 do t = (t + t) * 0.5 end
    assert.are.same({1, 1}, engine.variable(t, {deferred = true}):tolist())
    assert.are.same({1, 1}, t:tolist())
  end)

  it("takes part in gradients", function()
    local v = deferred()
    local tape <close> = cusp.GradientTape()
    local loss = (v * v):sum()
    assert.are.same({4, 4, 4}, tape:gradient(loss, v):tolist())
  end)
end)
