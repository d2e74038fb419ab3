local engine = require "cusp.engine"
local message = require "spec.support.message"
local tensor = engine.tensor

describe("engine.tensor", function()
  it("chooses the dtype from the values", function()
    assert.equal("int32", tensor({1, 2}).dtype)
    assert.equal("float32", tensor({1, 2.5}).dtype)
    assert.equal("float32", tensor({1.0}).dtype)
    assert.equal("bool", tensor({true, false}).dtype)
    assert.equal("float32", tensor({}).dtype)
    assert.equal("int32", tensor(3).dtype)
    assert.equal("int64", tensor(3000000000).dtype)
    assert.equal("bool", tensor(true).dtype)
    assert.equal("uint8", tensor({1, 2}, {dtype = "uint8"}).dtype)
  end)

  it("keeps 64-bit integers exact", function()
    assert.equal(math.maxinteger, tensor({math.maxinteger}, {dtype = "int64"}):item())
    assert.equal(math.mininteger, tensor(math.mininteger):item())
    assert.equal(9007199254740993, tensor({9007199254740993}, {dtype = "int64"}):item())
  end)

  it("takes nested tables, and a flat one with a shape", function()
    assert.same({2, 3}, tensor({{1, 2, 3}, {4, 5, 6}}).shape)
    assert.same({{1, 2}, {3, 4}}, tensor({1, 2, 3, 4}, {shape = {2, 2}}):tolist())
    assert.same({0}, tensor({}).shape)
    assert.same({2, 0}, tensor({{}, {}}).shape)
    assert.same({{7, 7}}, tensor(7, {shape = {1, 2}}):tolist())
    assert.same({1.5, 2.5}, tensor(tensor({1.5, 2.5}), {dtype = "float64"}):tolist())
  end)

  it("says where data is ragged or is no number", function()
    assert.matches("ragged data: expected 2 items at position {2}, got 3",
      message(tensor, {{1, 2}, {3, 4, 5}}), 1, true)
    assert.matches("ragged data: expected a table of 2 items at position {2}, got 3",
      message(tensor, {{1, 2}, 3}), 1, true)
    assert.matches("expected a number or a boolean at position {1, 2}, got the string \"x\"",
      message(tensor, {{1, "x"}}), 1, true)
    assert.matches("cusp.ops.stack joins tensors", message(tensor, {1, tensor(1)}), 1, true)
    assert.matches("nested more than 8 deep", message(tensor, {{{{{{{{{1}}}}}}}}}), 1, true)
    local loop = {}
    loop[1] = loop
    assert.matches("nested more than 8 deep", message(tensor, loop), 1, true)
    assert.matches("4 values were given, but shape [3] has 3",
      message(tensor, {1, 2, 3, 4}, {shape = {3}}), 1, true)
    assert.matches("unknown argument shap", message(tensor, {1}, {shap = {1}}), 1, true)
    assert.matches("float32", message(tensor, {1}, {dtype = "flaot32"}), 1, true)
    assert.matches("expected a tensor, a number or nested tables", message(tensor, print), 1, true)
  end)
end)

describe("a tensor", function()
  local t = tensor({{1, 2, 3}, {4, 5, 6}})

  it("has shape, dtype, ndim and a length", function()
    assert.same({2, 3}, t.shape)
    assert.equal("int32", t.dtype)
    assert.equal(2, t.ndim)
    assert.equal(2, #t)
    assert.is_nil(t.nothing)
    assert.is_true(engine.is_tensor(t))
    assert.is_false(engine.is_tensor(engine.variable(1)))
    assert.is_false(engine.is_tensor(io.stdout))
  end)

  it("gives its values", function()
    assert.equal(6, t:item(2, 3))
    assert.equal(6, t:item(-1, -1))
    assert.equal("integer", math.type(t:item(1, 1)))
    assert.same({1, 2, 3, 4, 5, 6}, t:flat())
    assert.equal(1.5, tensor(1.5):tolist())
    assert.is_true(tensor(true):item())
    assert.matches("item: needs a tensor of one element", message(t.item, t), 1, true)
    assert.matches("index 3 is out of range for axis 1 of size 2", message(t.item, t, 3, 1), 1,
      true)
    assert.matches("index 0 is out of range", message(t.item, t, 0, 1), 1, true)
    assert.matches("1 indices were given for a tensor of shape [2, 3]", message(t.item, t, 1), 1,
      true)
  end)

  it("gives the values of every dtype", function()
    for dtype in ([[float32 float64 float16 bfloat16 int8 int16 int32 int64
        uint8 uint16 uint32 uint64]]):gmatch "%w+" do
      local x = tensor({1, 2, 3}, {dtype = dtype})
      assert.same({1, 2, 3}, x:tolist(), dtype)
      assert.equal(dtype, x.dtype)
    end
  end)

  it("is indexed by rows", function()
    assert.same({4, 5, 6}, t[2]:tolist())
    assert.same({4, 5, 6}, t[-1]:tolist())
    assert.equal(5, t[2][2]:item())
    local seen = {}
    for i, row in pairs(t) do seen[i] = row:tolist() end
    assert.same(t:tolist(), seen)
    assert.matches("pairs goes through a tensor", message(function()
      for _ in ipairs(t) do end
    end), 1, true)
    assert.matches("index 3 is out of range for axis 1 of a tensor of shape [2, 3]",
      message(function()
      return t[3]
    end), 1, true)
    assert.matches("count from 1", message(function() return t[0] end), 1, true)
    assert.matches("scalar", message(function() return tensor(1)[1] end), 1, true)
  end)

  it("is sliced with inclusive ranges", function()
    assert.same({{2, 3}, {5, 6}}, t:slice{{}, {2, 3}}:tolist())
    assert.same({{1, 3}, {4, 6}}, t:slice{{}, {1, 3, 2}}:tolist())
    assert.same({{6, 5, 4}}, t:slice{{2}, {-1, 1, -1}}:tolist())
    assert.same({{3, 2, 1}, {6, 5, 4}}, t:slice{{}, {nil, nil, -1}}:tolist())
    assert.same({2, 5}, t:slice{{}, 2}:tolist())
    assert.same({{1, 2, 3}}, t:slice{{1, 1}}:tolist())
    assert.same({{1, 2, 3}, {4, 5, 6}}, t:slice{{1, 100}}:tolist())
    assert.same({0, 3}, t:slice{{3, 5}}.shape)
    assert.matches("the step is 0", message(t.slice, t, {{1, 2, 0}}), 1, true)
    assert.matches("count from 1", message(t.slice, t, {{0, 2}}), 1, true)
    assert.matches("3 ranges were given", message(t.slice, t, {{}, {}, {}}), 1, true)
    assert.matches("expected one table", message(t.slice, t, 1), 1, true)
  end)

  it("has operators", function()
    local x = tensor({7.0, -7.0})
    assert.same({9, -5}, (x + 2):tolist())
    assert.same({-5, 9}, (2 - x):tolist())
    assert.same({14, -14}, (x * 2):tolist())
    assert.same({3.5, -3.5}, (x / 2):tolist())
    assert.same({3, -4}, (x // 2):tolist())
    assert.same({1, 1}, (x % 2):tolist())
    assert.same({49, 49}, (x ^ 2):tolist())
    assert.same({4, 8}, (2 ^ tensor({2.0, 3.0})):tolist())
    assert.same({-7, 7}, (-x):tolist())
    local i = tensor({6, 5})
    assert.same({2, 1}, (i & 3):tolist())
    assert.same({7, 7}, (i | 3):tolist())
    assert.same({5, 6}, (i ~ 3):tolist())
    assert.same({-7, -6}, (~i):tolist())
    assert.same({12, 10}, (i << 1):tolist())
    assert.same({3, 2}, (i >> 1):tolist())
  end)

  it("takes the dtype of the tensor where a number meets it", function()
    assert.equal("int32", (t + 1).dtype)
    assert.equal("float32", (t + 1.5).dtype)
    assert.equal("float16", (tensor({1}, {dtype = "float16"}) + 1.5).dtype)
    assert.equal("uint8", (tensor({1}, {dtype = "uint8"}) * 2).dtype)
  end)

  it("is a value", function()
    assert.matches("tensors are values", message(function() t[1] = 2 end), 1, true)
    assert.matches("tensors are values", message(function() t.name = "x" end), 1, true)
  end)

  it("can be closed early", function()
    local kept
    do
      local x <close> = tensor({1, 2})
      kept = x
    end
    assert.matches("closed", message(function() return kept + 1 end), 1, true)
    assert.matches("closed", message(function() return kept.shape end), 1, true)
  end)

  it("refuses what is no tensor as self", function()
    assert.matches("item: expected a tensor, got a userdata", message(t.item, io.stdout), 1, true)
    assert.matches("expected a tensor, got nil", message(t.flat), 1, true)
  end)
end)
