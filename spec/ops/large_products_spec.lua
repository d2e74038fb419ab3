--- Products that are large enough for tiles, or for oneDNN, where they are there and fast: against
-- float64, for each number of threads, and with numbers that tiles cannot take.
local cusp = require "cusp"
local ops, random = cusp.ops, cusp.random

local function operands(m, k, n, seed)
  return random.normal({m, k}, {seed = seed}), random.normal({k, n}, {seed = seed + 1})
end

--- How far a product is from that of float64, for each of its elements' size.
local function distance(a, b, product)
  local exact = ops.matmul(ops.cast(a, "float64"), ops.cast(b, "float64"))
  return (ops.max(ops.abs(ops.subtract(exact, ops.cast(product, "float64"))))
    / math.sqrt(a.shape[2])):item()
end

describe("a large product", function()
  for i, sizes in ipairs{{1003, 300, 260}, {513, 512, 300}, {2048, 256, 129}} do
    it("is right to rounding, " .. i, function()
      local a, b = operands(sizes[1], sizes[2], sizes[3], i)
      assert.is_true(distance(a, b, ops.matmul(a, b)) < 1e-5)
      local turned = ops.transpose(ops.transpose(b) + 0)
      assert.is_true(distance(a, b, ops.matmul(a, turned)) < 1e-5)
      local by_columns = ops.transpose(ops.transpose(a) + 0)
      assert.is_true(distance(a, b, ops.matmul(by_columns, b)) < 1e-5)
    end)
  end

  it("takes leading axes as rows", function()
    local a, b = operands(8 * 128, 260, 300, 5)
    local product = ops.matmul(ops.reshape(a, {8, 128, 260}), b)
    assert.is_true(distance(a, b, ops.reshape(product, {1024, 300})) < 1e-5)
  end)

  it("is exact where float32 is", function()
    local a = ops.cast(random.randint({130, 300}, -200, 200, {seed = 3}), "float32")
    local b = ops.cast(random.randint({300, 170}, -200, 200, {seed = 4}), "float32")
    assert.equal(0, distance(a, b, ops.matmul(a, b)))
    local full = random.normal({256, 256}, {seed = 6})
    assert.is_true(ops.all(ops.equal(full, ops.matmul(full, ops.eye(256)))):item())
  end)

  for name, value in pairs{
    ["infinity"] = math.huge, ["NaN"] = 0 / 0, ["the largest number"] = 3.4028234e38,
  } do
    it("of " .. name .. " is what its terms say", function()
      local column = random.uniform({200, 1}, 0.5, 1, {seed = 1})
      local a = ops.concatenate({column, ops.zeros{200, 199}}, {axis = -1})
      a = ops.where(ops.equal(ops.reshape(ops.arange(200 * 200), {200, 200}), 200), value, a)
      local b = ops.full({200, 200}, 0.25)
      local product = ops.matmul(a, b)
      local found = product[2][7]:item()
      local right = found == value or (found ~= found and value ~= value)
      assert.is_true(right or math.abs(found / value - 0.25) < 1e-6)
      assert.is_true(math.abs(product[1][7]:item() - column[1][1]:item() / 4) < 1e-7)
    end)
  end

  it("of tiny numbers keeps their digits", function()
    local a, b = operands(200, 300, 200, 8)
    local tiny = ops.matmul(a * 2 ^ -100, b)
    assert.is_true(distance(a, b, tiny * 2 ^ 100) < 1e-5)
  end)

  it("does not depend on the number of threads", function()
    local threads, found = cusp.get_num_threads(), {}
    local a, b = operands(1100, 260, 270, 9)
    for count = 1, 3 do
      cusp.set_num_threads(count)
      found[count] = ops.matmul(a, b)
      assert.is_false(ops.any(ops.isnan(found[count])):item())
    end
    cusp.set_num_threads(threads)
    for count = 2, 3 do assert.is_true(ops.all(ops.equal(found[1], found[count])):item()) end
  end)
end)
