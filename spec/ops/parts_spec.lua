--- Parts of tensors by mask, by range, and other values in their place.
local cusp = require "cusp"
local ops = cusp.ops

local x = cusp.tensor{{1, 2, 3}, {4, 5, 6}}

describe("t[mask]", function()
  it("gives the elements or rows at which the mask is true", function()
    assert.same({4, 5, 6}, x[x:greater(3)]:tolist())
    assert.same({{4, 5, 6}}, x[cusp.tensor{false, true}]:tolist())
    assert.same({{1, 3}, {4, 6}},
      ops.boolean_mask(x, cusp.tensor{true, false, true}, {axis = 2}):tolist())
    assert.same({{1, 3}, {4, 6}}, x:boolean_mask(cusp.tensor{true, false, true}, -1):tolist())
    assert.same({0}, x[x:greater(9)].shape)
    assert.same({2, 3}, cusp.Variable{1, 2, 3}[cusp.tensor{false, true, true}]:tolist())
  end)

  it("refuses what is no mask of it", function()
    assert.error_matches(function() return x[cusp.ones{2}] end, "boolean_mask: expected a mask")
    assert.error_matches(function() return x[cusp.tensor{true}] end, "got tensor %[1%] bool")
  end)

  it("has gradients", function()
    local g = cusp.grad(function(t) return (t[cusp.tensor{true, false}] * 3):sum() end)
    assert.same({{3, 3}, {0, 0}}, g(cusp.ones{2, 2}):tolist())
  end)
end)

describe("slice", function()
  it("takes \"...\" for the axes without a range", function()
    assert.same({1, 4}, x:slice{"...", 1}:tolist())
    assert.same({4, 5, 6}, x:slice{2, "..."}:tolist())
    assert.same({4, 5}, x:slice{2, "...", {1, 2}}:tolist())
    assert.same(x:tolist(), x:slice{"..."}:tolist())
    assert.same({5}, x:slice{2, "...", {2, 2}}:tolist())
  end)

  it("takes it once, and no more ranges than axes", function()
    assert.error_matches(function() x:slice{"...", "..."} end, "slice: axis 2")
    assert.error_matches(function() x:slice{1, "...", 2, 3} end, "3 ranges were given")
  end)

  it("takes cusp.newaxis, which is null, for an axis of size 1", function()
    assert.same({{{1}, {4}}}, x:slice{cusp.newaxis, "...", cusp.null, 1}:tolist())
    assert.same({{{1, 2, 3}}, {{4, 5, 6}}}, x:slice{{}, cusp.newaxis}:tolist())
    assert.same({{5}}, x:slice{2, cusp.newaxis, 2, cusp.newaxis}:reshape{1, 1}:tolist())
    local g = cusp.grad(function(t)
      return (t:slice{cusp.null, 1} * t:slice{{}, cusp.null}):sum()
    end)
    assert.same({{3, 3}, {1, 1}}, g(cusp.ones{2, 2}):tolist())
    assert.error_matches(function() x:slice{{}, cusp.None} end,
      "axis 2: expected .* or cusp.newaxis, got cusp.None")
    local many = {}
    for i = 1, 40 do many[i] = cusp.newaxis end
    assert.error_matches(function() x:slice(many) end, "40 new axes were given")
    assert.error_matches(function() return x[cusp.newaxis] end,
      "expected an integer or a mask, got .*t:slice{{1, 2}, cusp.newaxis}")
  end)
end)

describe("with", function()
  it("counts as slice does, and leaves the tensor as it is", function()
    assert.same({{9, 2, 3}, {4, 5, 6}}, x:with({1, 1}, 9):tolist())
    assert.same({{1, 2, 0}, {4, 5, 0}}, x:with({"...", -1}, 0):tolist())
    assert.same({{1, 2, 3}, {7, 8, 9}}, x:with(2, cusp.tensor{7, 8, 9}):tolist())
    assert.same({{7, 7, 3}, {8, 8, 6}}, x:with({{}, {1, 2}}, {{7}, {8}}):tolist())
    assert.same({{1, 2, 3}, {4, 5, 6}}, x:tolist())
    assert.equal("int32", x:with({1}, 1).dtype)
  end)

  it("has gradients, and stands in models", function()
    local g = cusp.grad(function(t) return (t:with({1}, 5) * t):sum() end)
    assert.same({{5, 5}, {2, 2}}, g(cusp.ones{2, 2}):tolist())
    local input = cusp.Input{3}
    local model = cusp.Model(input, input:with({"...", 1}, 0))
    assert.same({{0, 2, 3}, {0, 5, 6}}, model(x):tolist())
  end)

  it("names itself where the value does not fit", function()
    assert.error_matches(function() x:with({1}, cusp.ones{2}) end, "with: .*broadcast")
    assert.error_matches(function() x:with({1}, cusp.ones{2, 3}) end, "with: a value of shape")
  end)
end)

describe("repeat_", function()
  it("is repeat, which is a word of Lua", function()
    assert.same({1, 1, 2, 2}, ops.repeat_(cusp.tensor{1, 2}, 2):tolist())
    assert.same({1, 1, 2, 2}, cusp.tensor{1, 2}:repeat_(2):tolist())
  end)
end)
