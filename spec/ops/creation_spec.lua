--- Tensors made from numbers.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

describe("a range", function()
  it("has the dtype of its numbers", function()
    assert.equal("int32", ops.arange(3).dtype)
    assert.equal("float32", ops.arange(3.0).dtype)
    assert.equal("uint8", ops.arange(0, 5, 2, {dtype = "uint8"}).dtype)
  end)

  it("stops before its end", function()
    assert.same({0, 1, 2}, ops.arange(3):tolist())
    assert.same({5, 3, 1}, ops.arange(5, 0, -2):tolist())
    assert.same({}, ops.arange(5, 0):tolist())
    assert.equal(4, #ops.arange(0.0, 1.0, 0.3))
    assert.same({0, 2, 4}, ops.arange(5, nil, 2):tolist())
    assert.matches("not a finite range", message(ops.arange, 0, 1, 0), 1, true)
  end)

  it("by count has both ends", function()
    assert.same({0, 0.25, 0.5, 0.75, 1}, ops.linspace(0, 1, 5):tolist())
    assert.same({0, 0.25, 0.5, 0.75}, ops.linspace(0, 1, 4, false):tolist())
    local values, step = ops.linspace(2.0, -1.0, {num = 3, retstep = true})
    assert.same({2, 0.5, -1}, values:tolist())
    assert.equal(-1.5, step:item())
    assert.same({0, 3, 6, 9}, ops.linspace(0, 9, {num = 4, dtype = "int32"}):tolist())
    assert.same({3}, ops.linspace(3, 4, 1):tolist())
    local powers = ops.geomspace(1, 1000, 4):tolist()
    for i = 0, 3 do assert.near(10 ^ i, powers[i + 1], 10 ^ i * 1e-5) end
  end)
end)

describe("constants", function()
  it("have the shape and dtype asked for", function()
    assert.same({{0, 0, 0}, {0, 0, 0}}, ops.zeros{2, 3}:tolist())
    assert.equal("int8", ops.ones({2}, "int8").dtype)
    assert.same({3, 3}, ops.full({2}, 3):tolist())
    assert.equal("float32", ops.full({2}, 3).dtype)
    assert.same({{1, 2}, {1, 2}}, ops.full({2, 2}, engine.tensor{1, 2}):tolist())
    assert.same({2, 2}, ops.full_like(engine.tensor{1, 0}, 2.7):tolist())
    assert.equal(9007199254740993, ops.full({1}, 9007199254740993, {dtype = "int64"}):tolist()[1])
  end)

  it("refuse sizes below zero and too many axes", function()
    assert.is_string(message(ops.zeros, {-1}))
    assert.matches("9 axes", message(ops.zeros, {1, 1, 1, 1, 1, 1, 1, 1, 1}), 1, true)
    assert.is_string(message(ops.zeros, {2 ^ 40 // 1 | 0, 2 ^ 40 // 1 | 0}))
  end)
end)

describe("matrices", function()
  it("have ones on or below a diagonal", function()
    assert.same({{0, 1, 0}, {0, 0, 1}}, ops.eye(2, 3, 1):tolist())
    assert.same({{1, 1, 0}, {1, 1, 1}}, ops.tri(2, 3, 1):tolist())
    assert.same({{true, false}, {false, true}}, ops.identity(2, "bool"):tolist())
  end)

  it("lose a triangle", function()
    local x = engine.tensor{{1, 2, 3}, {4, 5, 6}}
    assert.same({{1, 0, 0}, {4, 5, 0}}, ops.tril(x):tolist())
    assert.same({{1, 2, 3}, {0, 5, 6}}, ops.triu(x):tolist())
    assert.matches("expected a matrix", message(ops.tril, engine.tensor{1}), 1, true)
  end)

  it("take and give diagonals", function()
    assert.same({{0, 1, 0}, {0, 0, 2}, {0, 0, 0}}, ops.diag(engine.tensor{1, 2}, 1):tolist())
    assert.same({4}, ops.diag(engine.tensor{{1, 2}, {4, 5}}, -1):tolist())
    assert.same({{1, 1, 1}, {4, 2, 1}}, ops.vander(engine.tensor{1, 2}, 3):tolist())
  end)
end)
