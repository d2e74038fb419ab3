-- Lua numbers that become tensors, or are combined with tensors: each keeps its value, or is
-- refused.
local cusp = require "cusp"
local ops = cusp.ops

local function refused(message, f, ...)
  local ok, got = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(got):find(message, 1, true), tostring(got))
end

local function small() return cusp.tensor({1, 2}, {dtype = "uint8"}) end

describe("Lua numbers", function()
  it("become int64 in lists that int32 cannot hold", function()
    local t = cusp.tensor{1, 3000000000}
    assert.equal("int64", t.dtype)
    assert.same({1, 3000000000}, t:tolist())
    assert.equal("int64", cusp.tensor({{math.mininteger}, {0}}).dtype)
    assert.same({math.maxinteger}, cusp.tensor({math.maxinteger}):tolist())
    assert.equal("int32", cusp.tensor({2147483647, -2147483648}).dtype)
    assert.same({3000000001, 3}, ops.add(cusp.tensor{3000000000, 2}, 1):tolist())
  end)

  it("are refused where the dtype asked for cannot hold them", function()
    refused("at position {1}: 300 does not fit uint8 (0 to 255)", cusp.tensor, {300},
      {dtype = "uint8"})
    refused("at position {1, 2}: -129 does not fit int8 (-128 to 127)", cusp.tensor, {{0, -129}},
      {dtype = "int8"})
    refused("-1 does not fit uint64 (0 to 18446744073709551615)", cusp.tensor, -1,
      {dtype = "uint64"})
    for _, value in ipairs{0 / 0, 1e300, -math.huge, 3e9, 2147483648} do
      refused("does not fit int32", cusp.tensor, {value}, {dtype = "int32"})
      refused("does not fit int32", cusp.tensor, value, {dtype = "int32"})
    end
    assert.same({1, -1, 255}, cusp.tensor({1.9, -1.9, 255.5}, {dtype = "int16"}):tolist())
    assert.same({-9223372036854775807 - 1}, cusp.tensor({-2 ^ 63}, {dtype = "int64"}):tolist())
  end)

  it("are refused beside tensors of integers that cannot hold them", function()
    refused("multiply: 1099511627776 does not fit int32", function()
      return cusp.tensor{1, 2} * (1 << 40)
    end)
    refused("add: -1 does not fit uint8", function() return small() + -1 end)
    refused("does not fit uint8", ops.full, {2}, 300, "uint8")
    refused("does not fit uint8", ops.full_like, small(), 300)
    refused("does not fit uint8", ops.cast, 300, "uint8")
    refused("does not fit uint8", ops.pad, small(), {{1, 1}}, {constant_values = 300})
    refused("does not fit uint8", ops.clip, small(), -5, 300)
    refused("does not fit uint8", ops.where, cusp.tensor{true, false}, small(), 300)
    refused("does not fit int8", ops.arange, 0, 300, {dtype = "int8"})
    refused("does not fit uint8", cusp.Variable, {300}, {dtype = "uint8"})
    refused("do not fit int32", cusp.random.randint, {2}, 0, 3000000000)
    refused("do not fit uint8", cusp.random.randint, {2}, -1, 3, "uint8")
    assert.equal(255, cusp.random.randint({2}, 255, 256, "uint8"):item(1))
    assert.same({1099511627776}, (cusp.tensor({true}) * (1 << 40)):tolist())
  end)

  it("leave a variable as it was where it cannot hold them", function()
    local v = cusp.Variable({1}, {dtype = "uint8"})
    for _, method in ipairs{"assign", "assign_add", "assign_sub"} do
      refused("does not fit uint8", v[method], v, 300)
      refused("does not fit uint8", v[method], v, {-1})
    end
    assert.same({1}, v.value:tolist())
  end)

  it("compare rightly with tensors of integers that cannot hold them", function()
    assert.same({true, true}, ops.less(small(), 300):tolist())
    assert.same({true, true}, ops.greater(small(), -1):tolist())
    assert.same({false, false}, ops.equal(small(), 257):tolist())
    assert.same({true, false}, ops.less_equal(cusp.tensor{1, 2147483647}, cusp.tensor(1)):tolist())
    assert.same({true}, ops.greater(cusp.tensor({0}, {dtype = "uint64"}), -1):tolist())
  end)

  it("keep their digits beside tensors of float64", function()
    local one, zero = ops.ones({1}, "float64"), ops.zeros({1}, "float64")
    assert.equal(0.1, (one * 0.1):item())
    assert.equal(0.1, ops.maximum(zero, 0.1):item())
    assert.equal(0.1, ops.full({1}, 0.1, "float64"):item())
    assert.equal(0.1, ops.full_like(zero, 0.1):item())
    assert.equal(0.1, ops.cast(0.1, "float64"):item())
    assert.equal(0.1, ops.convert_to_tensor(0.1, "float64"):item())
    assert.equal(0.1, ops.where(cusp.tensor{true}, 0.1, zero):item())
    assert.equal(0.1, ops.pad(zero, {{1, 0}}, {constant_values = 0.1}):item(1))
    assert.equal(0.1, ops.linspace(0.1, 1, {num = 2, dtype = "float64"}):item(1))
    local v = cusp.Variable({0.0}, {dtype = "float64"})
    assert.equal(0.1, v:assign{0.1}.value:item())
  end)
end)

describe("tables of numbers", function()
  it("have to fit the dtype that they are to have", function()
    for _, name in ipairs{"convert_to_tensor", "array"} do
      local ok, message = pcall(ops[name], {1, 300}, "uint8")
      assert.is_false(ok)
      assert.is_truthy(message:find("300 does not fit uint8", 1, true), message)
      assert.is_false((pcall(ops[name], {{1, -1}}, {dtype = "uint16"})))
      assert.same({1, 200}, ops[name]({1, 200}, "uint8"):tolist())
      assert.equal(0.1, ops[name]({0.1}, "float64"):item())
      assert.same({44}, ops[name](cusp.tensor{300}, "uint8"):tolist())
      assert.equal("int64", ops[name]({1 << 31}).dtype)
    end
  end)

  it("have to fit where they fill a tensor", function()
    local bytes = cusp.tensor({1, 2}, {dtype = "uint8"})
    for _, f in ipairs{
      function(values) return ops.full({2}, values, "uint8") end,
      function(values) return ops.full_like(bytes, values) end,
      function(values) return ops.full_like(cusp.ones{2}, values, {dtype = "uint8"}) end,
    } do
      assert.is_false((pcall(f, {300, 1})))
      assert.same({200, 1}, f({200, 1}):tolist())
    end
    assert.same({300, 1}, ops.full_like(bytes, {300, 1}, "int32"):tolist())
    assert.same({7, 7}, ops.full_like({300, 1}, 7, "uint8"):tolist())
    assert.equal(0.1, ops.full({2}, {0.1, 1}, "float64"):item(1))
  end)

  it("have to fit what they are written into", function()
    for name, positions in pairs{scatter_update = {{0}}, slice_update = {0}} do
      local x = cusp.tensor({1, 2}, {dtype = "uint8"})
      local ok, message = pcall(ops[name], x, positions, {300})
      assert.is_false(ok)
      assert.is_truthy(message:find("300 does not fit uint8", 1, true), message)
      assert.same({200, 2}, ops[name](x, positions, {200}):tolist())
      assert.same({44, 2}, ops[name](x, positions, cusp.tensor{300}):tolist())
      local wide = ops[name](cusp.tensor({1, 2}, {dtype = "int64"}), positions, {1 << 40})
      assert.same({1 << 40, 2}, wide:tolist())
      assert.equal(0.1, ops[name](ops.zeros({2}, "float64"), positions, {0.1}):item(1))
    end
  end)
end)

describe("ranges", function()
  it("have the length that exact arithmetic gives", function()
    local steps = {0, 1 << 31, 1 << 32, 3 << 31}
    assert.same(steps, ops.arange(0, 1 << 33, 1 << 31, "int64"):tolist())
    assert.same(steps, ops.arange(0, 1 << 33, 1 << 31):tolist())
    assert.same({math.maxinteger - 2, math.maxinteger - 1},
      ops.arange(math.maxinteger - 2, math.maxinteger):tolist())
    assert.same({0, -(1 << 62)}, ops.arange(0, math.mininteger, -(1 << 62)):tolist())
    assert.same({20000001}, ops.arange(0, 20000001.0).shape)
    assert.same({3}, ops.arange(0.1, 0.35, 0.1).shape)
    assert.same({}, ops.arange(5, 0):tolist())
    assert.equal("float32", ops.arange(2, 4.0).dtype)
  end)
end)

describe("datasets", function()
  local Dataset = cusp.data.Dataset

  local function all(dataset)
    local list = {}
    for x in dataset:iterate() do list[#list + 1] = x:tolist() end
    return list
  end

  it("keep large integers, and refuse those that a declared dtype cannot hold", function()
    assert.same({1, 3000000000}, all(Dataset.from_tensor_slices{1, 3000000000}))
    refused("3000000000 does not fit int32", all, Dataset.from_generator(function()
      coroutine.yield(1)
      coroutine.yield(3000000000)
    end))
    refused("257 does not fit uint8", function()
      return all(Dataset.range(254, 258, 1, {output_type = "uint8"}))
    end)
  end)

  it("refuse fields of files that do not fit", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write "a,b\n1,300\n3000000000,2\n"
    file:close()
    local function column(name, dtype)
      local dataset = cusp.data.from_csv(path, {column_defaults = {[name] = dtype}})
      return all(dataset:map(function(row) return row[name] end))
    end
    assert.same({1, 3000000000}, column("a", "int64"))
    refused("column a: expected int32, got \"3000000000\"", column, "a", "int32")
    refused("column b: expected uint8, got \"300\"", column, "b", "uint8")
    os.remove(path)
  end)
end)
