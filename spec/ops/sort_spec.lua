--- Sorting: every dtype, NaN and signed zeros, stability, long rows; searching.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local function scattered(n, spread)
  local data, state = {}, 1
  for i = 1, n do
    state = state * 16807 % 2147483647
    data[i] = state % spread - spread // 2
  end
  return data
end

describe("sort", function()
  it("orders every dtype", function()
    for _, dtype in ipairs{"int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
      "float64"} do
      local data = scattered(200, 100)
      local got = ops.cast(ops.sort(engine.tensor(data, {dtype = dtype})), "float64"):tolist()
      table.sort(data)
      for i, value in ipairs(data) do assert.equal(value, got[i]) end
    end
    assert.same({0, 3, 200, 255},
      ops.sort(engine.tensor({255, 0, 200, 3}, {dtype = "uint8"})):tolist())
    local large = ops.sort(engine.tensor({-1, 5, math.mininteger, math.maxinteger},
      {dtype = "int64"})):tolist()
    assert.same({math.mininteger, -1, 5, math.maxinteger}, large)
    assert.same({false, true, true}, ops.sort(engine.tensor{true, false, true}):tolist())
  end)

  it("orders long rows", function()
    for _, n in ipairs{128, 129, 5000} do
      local data = scattered(n, 1000003)
      local got = ops.sort(engine.tensor(data, {dtype = "float32"})):tolist()
      table.sort(data)
      for i, value in ipairs(data) do assert.equal(value, got[i]) end
    end
  end)

  it("puts NaN last and leaves equal elements in their order", function()
    local nan = 0 / 0
    local x = engine.tensor{nan, 1.0, -math.huge, nan, 0.0, -0.0, math.huge}
    assert.same({2, 4, 5, 1, 6, 0, 3}, ops.argsort(x):tolist())
    local many = {}
    for i = 1, 300 do many[i] = i % 3 end
    local order = ops.argsort(engine.tensor(many)):tolist()
    for i = 2, 300 do
      local a, b = order[i - 1], order[i]
      assert.is_true(many[a + 1] < many[b + 1] or (many[a + 1] == many[b + 1] and a < b))
    end
  end)

  it("goes along any axis", function()
    local x = engine.tensor{{3, 1}, {2, 5}, {1, 4}}
    assert.same({{1, 1}, {2, 4}, {3, 5}}, ops.sort(x, 1):tolist())
    assert.same({{1, 3}, {2, 5}, {1, 4}}, ops.sort(x, 2):tolist())
    assert.same({{2, 0}, {1, 2}, {0, 1}}, ops.argsort(x, 1):tolist())
    assert.equal("int32", ops.argsort(x).dtype)
    assert.matches("sort: axis 3 is out of range for a tensor of 2 axes", message(ops.sort, x, 3))
    assert.same({2, 0}, ops.sort(ops.zeros{2, 0}).shape)
  end)
end)

describe("top_k", function()
  it("gives the largest, the first of equal ones first", function()
    local values, indices = ops.top_k(engine.tensor{{1, 5, 5, 2}, {9, 0, 3, 9}}, 3)
    assert.same({{5, 5, 2}, {9, 9, 3}}, values:tolist())
    assert.same({{1, 2, 3}, {0, 3, 2}}, indices:tolist())
  end)

  it("selects from long rows as sorting does", function()
    local data = scattered(5000, 700)
    local x = engine.tensor(data, {dtype = "float32"})
    local all = ops.argsort(-x):tolist()
    for _, k in ipairs{1, 7, 100, 1249, 1250, 5000} do
      local _, indices = ops.top_k(x, k)
      assert.same(table.move(all, 1, k, 1, {}), indices:tolist())
    end
  end)

  it("accepts k of 0 and refuses one too large", function()
    assert.same({2, 0}, (ops.top_k(ops.zeros{2, 3}, 0)).shape)
    assert.matches("k should be between 0 and the size of the last axis, 3, got 4",
      message(ops.top_k, ops.zeros{2, 3}, 4))
    assert.matches("at least one axis", message(ops.top_k, 1.0, 1))
  end)

  it("knows whether a target is inside", function()
    local predictions = engine.tensor{{0.1, 0.5, 0.4}, {0.3, 0.3, 0.4}, {0 / 0, 1, 2}, {1, 2, 3}}
    assert.same({true, true, false, false},
      ops.in_top_k(engine.tensor{1, 0, 0, 3}, predictions, 2):tolist())
  end)
end)

describe("searchsorted", function()
  it("finds places from the left and from the right", function()
    local sorted = engine.tensor{1.0, 2.0, 2.0, 4.0}
    local x = engine.tensor{{0.0, 2.0}, {3.0, 9.0}}
    assert.same({{0, 1}, {3, 4}}, ops.searchsorted(sorted, x):tolist())
    assert.same({{0, 3}, {3, 4}}, ops.searchsorted(sorted, x, "right"):tolist())
    assert.matches('side should be "left" or "right", got "up"',
      message(ops.searchsorted, sorted, x, "up"))
    assert.matches("expected a sorted sequence of one axis", message(ops.searchsorted, x, sorted))
  end)
end)
