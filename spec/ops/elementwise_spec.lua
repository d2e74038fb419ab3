--- Elementwise arithmetic: dtypes of results, edges of functions, broadcasting, messages.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local function tensor(dtype, data) return engine.tensor(data or {1, 2, 3}, {dtype = dtype}) end

describe("dtypes", function()
  it("of two tensors are brought together as Keras does", function()
    local cases = {
      {"uint8", "int8", "int16"}, {"int32", "float16", "float16"},
      {"bfloat16", "float16", "float32"}, {"bool", "uint8", "uint8"},
      {"int64", "float32", "float32"}, {"uint32", "int32", "int64"},
      {"float32", "float64", "float64"},
    }
    for _, case in ipairs(cases) do
      local a = case[1] == "bool" and engine.tensor{true, false, true} or tensor(case[1])
      assert.equal(case[3], ops.add(a, tensor(case[2])).dtype)
      assert.equal(case[3], ops.multiply(tensor(case[2]), a).dtype)
    end
  end)

  it("of a Lua number are the tensor's, unless its kind is higher", function()
    assert.equal("uint8", ops.add(tensor "uint8", 2).dtype)
    assert.equal("float16", ops.add(tensor "float16", 2.5).dtype)
    assert.equal("float32", ops.add(tensor "int32", 2.5).dtype)
    assert.equal("float64", ops.multiply(2, tensor "float64").dtype)
    assert.equal("int32", ops.add(1, 2).dtype)
    assert.equal("float32", ops.add(1, 2.0).dtype)
  end)

  it("of functions with fractions are floats", function()
    assert.equal("float32", ops.exp(tensor "int32").dtype)
    assert.equal("float16", ops.sqrt(tensor "float16").dtype)
    assert.equal("float32", ops.divide(tensor "int32", tensor "int32").dtype)
    assert.equal("int32", ops.floor_divide(tensor "int32", tensor "int32").dtype)
    assert.equal("int32", ops.round(tensor "int32").dtype)
  end)

  it("of booleans", function()
    local flags = engine.tensor{true, false}
    assert.equal("int32", ops.square(flags).dtype)
    assert.equal("bool", ops.abs(flags).dtype)
    assert.equal("bool", ops.add(flags, flags).dtype)
    assert.same({true, true}, ops.add(flags, engine.tensor{true, true}):tolist())
    assert.same({1, 1}, ops.power(flags, flags):tolist())
  end)
end)

describe("values", function()
  it("keep 64-bit integers exact", function()
    local large = tensor("int64", {9007199254740993, -9007199254740993})
    assert.same({9007199254740994, -9007199254740992}, ops.add(large, 1):tolist())
    assert.same({18014398509481986, -18014398509481986}, ops.multiply(large, 2):tolist())
  end)

  it("take the sign of a remainder from the divisor in mod, from the dividend in fmod", function()
    local a, b = tensor("int32", {7, -7, 7, -7}), tensor("int32", {3, 3, -3, -3})
    assert.same({1, 2, -2, -1}, ops.mod(a, b):tolist())
    assert.same({1, -1, 1, -1}, ops.fmod(a, b):tolist())
    assert.same({2, -3, -3, 2}, ops.floor_divide(a, b):tolist())
  end)

  it("divide integers by zero without a crash", function()
    local zero = tensor("int32", {0, 0, 0})
    assert.equal(3, #ops.mod(tensor "int32", zero):tolist())
    assert.equal(3, #ops.floor_divide(tensor "int32", zero):tolist())
    assert.same({0, 0, 0}, ops.divide_no_nan(tensor "float32", 0):tolist())
  end)

  it("round half to even", function()
    assert.same({0, 2, 2, -2}, ops.round(tensor("float32", {0.5, 1.5, 2.5, -2.5})):tolist())
    assert.same({120, 140}, ops.round(tensor("int32", {125, 135}), -1):tolist())
    assert.near(2.68, ops.round(tensor("float64", {2.675001}), 2):tolist()[1], 1e-9)
  end)

  it("let NaN through maximum and leave it out of fmax", function()
    local x = tensor("float32", {0 / 0, 1, 2})
    local maximum, fmax = ops.maximum(x, 1.5):tolist(), ops.fmax(x, 1.5):tolist()
    assert.is_true(maximum[1] ~= maximum[1])
    assert.same({1.5, 1.5, 2}, fmax)
  end)

  it("clip with the upper bound winning", function()
    assert.same({-0.5, -0.5, -0.5}, ops.clip(tensor("float32", {-1, 0, 1}), 0.5, -0.5):tolist())
    assert.equal("float32", ops.clip(tensor "int32", 0.5, 2.5).dtype)
  end)

  it("choose with where, and find with a condition alone", function()
    local flags = engine.tensor{{true, false}, {false, true}}
    assert.same({{1, 20}, {10, 2}}, ops.where(flags, {{1, 3}, {4, 2}}, {{9, 20}, {10, 9}}):tolist())
    local rows, columns = ops.where(flags)
    assert.same({0, 1}, rows:tolist())
    assert.same({0, 1}, columns:tolist())
    assert.matches("both x1 and x2", message(ops.where, flags, 1), 1, true)
  end)

  it("saturate or wrap in casts", function()
    local x = tensor("float32", {-5, 3.9, 300})
    assert.same({0, 3, 255}, ops.saturate_cast(x, "uint8"):tolist())
    assert.same({2147483647, -2147483648},
      ops.saturate_cast(tensor("float32", {1e20, -1e20}), "int32"):tolist())
    assert.same({-126, 56}, ops.cast(tensor("int32", {130, -200}), "int8"):tolist())
  end)

  it("replace what is not finite", function()
    local x = tensor("float32", {0 / 0, math.huge, -math.huge, 1})
    assert.same({7, 8, 9, 1}, ops.nan_to_num(x, 7, 8, 9):tolist())
    assert.is_true(ops.nan_to_num(x):tolist()[2] > 3e38)
  end)
end)

describe("messages", function()
  it("name both shapes", function()
    local text = message(ops.add, ops.ones{2, 3}, ops.ones{2, 4})
    assert.matches("add: shapes [2, 3] and [2, 4] do not broadcast", text, 1, true)
  end)

  it("name the dtype that an operation does not know", function()
    assert.matches("bitwise_and: .*float32", message(ops.bitwise_and, ops.ones{2}, ops.ones{2}))
  end)

  it("name an unknown keyword and the nearest one", function()
    assert.matches("did you mean 'x_max'", message(ops.clip, 1, {x_min = 0, x_maxi = 1}), 1, true)
  end)
end)
