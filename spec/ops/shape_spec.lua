--- Moving elements: views, slices, repetition, padding, joining and splitting, also on views of
-- views.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local matrix = engine.tensor{{1, 2, 3}, {4, 5, 6}}

describe("reshape", function()
  it("fills in one size", function()
    assert.same({{1, 2}, {3, 4}, {5, 6}}, ops.reshape(matrix, {-1, 2}):tolist())
    assert.same({1, 2, 3, 4, 5, 6}, ops.reshape(matrix, -1):tolist())
    assert.equal(7, ops.reshape(engine.tensor{7}, {}):item())
    assert.same({0, 3}, ops.reshape(ops.zeros{0, 3}, {-1, 3}).shape)
  end)

  it("reads transposed and flipped tensors in their own order", function()
    assert.same({1, 4, 2, 5, 3, 6}, ops.ravel(ops.transpose(matrix)):tolist())
    assert.same({3, 2, 1, 6, 5, 4}, ops.ravel(ops.flip(matrix, 2)):tolist())
    assert.same({1, 1, 4, 4}, ops.ravel(ops.broadcast_to(engine.tensor{{1}, {4}}, {2, 2})):tolist())
  end)

  it("says what does not fit", function()
    assert.matches("6 elements of shape [2, 3] do not fit into the new shape [4, 2]",
      message(ops.reshape, matrix, {4, 2}), 1, true)
    assert.matches("only one size", message(ops.reshape, matrix, {-1, -1}), 1, true)
  end)
end)

describe("axes", function()
  it("come, go and change places", function()
    assert.same({1, 2, 1, 3}, ops.expand_dims(matrix, {1, 3}).shape)
    assert.same({2, 3}, ops.squeeze(ops.expand_dims(matrix, 2)).shape)
    assert.same({4, 2, 3}, ops.transpose(ops.zeros{2, 3, 4}, {-1, 1, 2}).shape)
    assert.same({3, 4, 2}, ops.moveaxis(ops.zeros{2, 3, 4}, 1, -1).shape)
    assert.same({4, 3, 2}, ops.swapaxes(ops.zeros{2, 3, 4}, 1, 3).shape)
    assert.matches("axis 1 has size 2", message(ops.squeeze, matrix, 1), 1, true)
    assert.matches("axis 1 is given twice", message(ops.transpose, matrix, {1, 1}), 1, true)
  end)

  it("turn", function()
    assert.same({{3, 6}, {2, 5}, {1, 4}}, ops.rot90(matrix):tolist())
    assert.same({{6, 5, 4}, {3, 2, 1}}, ops.rot90(matrix, 2):tolist())
    assert.same({{4, 1}, {5, 2}, {6, 3}}, ops.rot90(matrix, -1):tolist())
    assert.same({1, 5}, ops.diagonal(matrix):tolist())
    assert.same({}, ops.diagonal(matrix, math.mininteger):tolist())
    assert.equal(6, ops.trace(matrix):item())
  end)
end)

describe("a slice", function()
  it("is moved inwards where it would reach past the end", function()
    assert.same({{2, 3}}, ops.slice(matrix, {0, 2}, {1, 2}):tolist())
    assert.same({{2, 3}}, ops.slice(matrix, engine.tensor{0, 1} + 0, {1, 2}):tolist())
    assert.same({{1, 2, 3}, {4, 9, 9}}, ops.slice_update(matrix, {1, 1}, {{9, 9}}):tolist())
    assert.matches("does not fit", message(ops.slice, matrix, {0, 0}, {3, 1}), 1, true)
  end)
end)

describe("repetition", function()
  it("is of elements or of the whole", function()
    assert.same({1, 1, 2, 2}, ops["repeat"](engine.tensor{1, 2}, 2):tolist())
    assert.same({{1, 2, 2}, {4, 5, 5}},
      ops["repeat"](ops.slice(matrix, {0, 0}, {2, 2}), {1, 2}, 2):tolist())
    assert.same({1, 2, 1, 2}, ops.tile(engine.tensor{1, 2}, 2):tolist())
    assert.same({2, 2, 3}, ops.tile(matrix, {2, 1, 1}).shape)
    assert.same({0, 3}, ops.tile(matrix, {0, 1}).shape)
  end)

  it("goes round", function()
    assert.same({{6, 1, 2}, {3, 4, 5}}, ops.roll(matrix, 1):tolist())
    assert.same({{2, 3, 1}, {5, 6, 4}}, ops.roll(matrix, -1, 2):tolist())
    assert.same({1, 2, 3},
      ops.roll(engine.tensor{1, 2, 3}, {math.maxinteger, -math.maxinteger}):tolist())
    assert.is_string(message(ops.roll, matrix, 1, {axis = {}}))
    assert.same({{6, 1, 2}, {3, 4, 5}}, ops.roll(matrix, 1, {}):tolist())
  end)
end)

describe("padding", function()
  it("takes one width, a pair, or a pair an axis", function()
    assert.same({4, 5}, ops.pad(matrix, 1).shape)
    assert.same({5, 6}, ops.pad(matrix, {1, 2}).shape)
    assert.same({{9, 1, 2, 3}, {9, 4, 5, 6}},
      ops.pad(matrix, {{0, 0}, {1, 0}}, {constant_values = 9}):tolist())
  end)

  it("repeats what is there", function()
    local x = engine.tensor{1, 2, 3}
    assert.same({1, 1, 1, 2, 3, 3}, ops.pad(x, {2, 1}, "edge"):tolist())
    assert.same({3, 2, 1, 2, 3, 2}, ops.pad(x, {2, 1}, "reflect"):tolist())
    assert.same({2, 1, 1, 2, 3, 3}, ops.pad(x, {2, 1}, "symmetric"):tolist())
    assert.same({2, 3, 1, 2, 3, 1}, ops.pad(x, {2, 1}, "wrap"):tolist())
    assert.same({2, 1, 2, 3, 2, 1, 2, 3, 2}, ops.pad(x, {1, 5}, "reflect"):tolist())
  end)

  it("refuses what it does not know", function()
    assert.matches("unknown mode", message(ops.pad, matrix, 1, "mirror"), 1, true)
    assert.matches("expected at least 0", message(ops.pad, matrix, -1), 1, true)
    assert.matches("is 40000000000 and 40000000000; expected at least 0 and at most 2147483647",
      message(ops.pad, matrix, 40000000000), 1, true)
    assert.matches("no elements to pad with", message(ops.pad, ops.zeros{0}, 1, "edge"), 1, true)
  end)
end)

describe("joining", function()
  it("puts tensors along an axis, in a common dtype", function()
    assert.same({{1, 2, 3, 7}, {4, 5, 6, 8}},
      ops.concatenate({matrix, engine.tensor{{7}, {8}}}, 2):tolist())
    assert.equal("float32", ops.concatenate({engine.tensor{1}, engine.tensor{1.5}}).dtype)
    assert.same({{1, 3}, {2, 4}},
      ops.stack({engine.tensor{1, 2}, engine.tensor{3, 4}}, -1):tolist())
    assert.same({1, 2, 3}, ops.append(1, {2, 3}):tolist())
  end)

  it("says which tensor does not fit", function()
    assert.matches("tensor 2 has shape [3], the first [2, 3]",
      message(ops.concatenate, {matrix, engine.tensor{1, 2, 3}}), 1, true)
    assert.matches("all should be equal",
      message(ops.stack, {engine.tensor{1}, engine.tensor{1, 2}}), 1, true)
    assert.is_string(message(ops.concatenate, {}))
  end)
end)

describe("splitting", function()
  local function lists(parts)
    local result = {}
    for i, part in ipairs(parts) do result[i] = part:tolist() end
    return result
  end

  it("is into equal parts or between positions", function()
    local x = ops.arange(6)
    assert.same({{0, 1}, {2, 3}, {4, 5}}, lists(ops.split(x, 3)))
    assert.same({{0}, {1, 2, 3}, {4, 5}}, lists(ops.split(x, {1, 4})))
    assert.same({{0, 1, 2}, {3, 4, 5}}, lists(ops.split(x, {3})))
    assert.same({{0, 1, 2, 3}, {4, 5}}, lists(ops.split(x, {-2})))
    assert.matches("does not divide into 4 equal parts", message(ops.split, x, 4), 1, true)
    assert.same({{0, 1}, {2, 3}, {4}, {5}}, lists(ops.array_split(x, 4)))
    assert.same({{1, 4}, {2, 5}, {3, 6}}, lists(ops.unstack(matrix, nil, 2)))
    assert.matches("num is 2", message(ops.unstack, matrix, 2, 2), 1, true)
  end)

  it("gives as many parts as there are", function()
    assert.equal(200, #ops.unstack(ops.arange(200)))
  end)
end)
