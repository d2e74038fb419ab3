--- Softmax and cross-entropies: compared with explicit sums, at extremes, along any axes, including
-- long rows.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local function near(expected, got, tolerance)
  if type(expected) == "table" then
    assert.equal(#expected, #got)
    for i = 1, #expected do near(expected[i], got[i], tolerance) end
  elseif expected ~= expected then
    assert.is_true(got ~= got)
  else
    assert.near(expected, got, (tolerance or 1e-6) * math.max(1, math.abs(expected)))
  end
end

local function softmax(row)
  local largest, sum, result = math.max(table.unpack(row)), 0, {}
  for i, x in ipairs(row) do
    result[i] = math.exp(x - largest)
    sum = sum + result[i]
  end
  for i = 1, #row do result[i] = result[i] / sum end
  return result
end

local function rows_of(rows, columns)
  local data = {}
  for r = 1, rows do
    data[r] = {}
    for c = 1, columns do data[r][c] = (r * 31 + c * 17) % 23 / 3 - 4 end
  end
  return data
end

describe("softmax", function()
  it("normalises rows of any length", function()
    for _, columns in ipairs{1, 2, 10, 16, 33, 1000} do
      local data = rows_of(7, columns)
      for _, dtype in ipairs{"float32", "float64"} do
        local x = engine.tensor(data, {dtype = dtype})
        local y, log_y = ops.softmax(x):tolist(), ops.log_softmax(x):tolist()
        for r = 1, 7 do
          local expected = softmax(data[r])
          near(expected, y[r])
          for c = 1, columns do expected[c] = math.log(expected[c]) end
          near(expected, log_y[r], 2e-6)
        end
      end
    end
  end)

  it("works on rows longer than a block", function()
    local x = engine.tensor(rows_of(2, 5000), {dtype = "float64"})
    near({1, 1}, ops.sum(ops.softmax(x), 2):tolist(), 1e-12)
    near(ops.log(ops.softmax(x)):tolist(), ops.log_softmax(x):tolist(), 1e-12)
  end)

  it("does not overflow, and keeps infinities' meaning", function()
    near({{0, 1}, {0.5, 0.5}, {1, 0}},
      ops.softmax(engine.tensor{{-1000.0, 1000.0}, {3e38, 3e38}, {0.0, -math.huge}}):tolist())
    near({{-2000, 0}}, ops.log_softmax(engine.tensor{{-1000.0, 1000.0}}):tolist())
    near({{0 / 0, 0 / 0}}, ops.softmax(engine.tensor{{-math.huge, -math.huge}}):tolist())
    near({{0 / 0, 0 / 0}, {0.5, 0.5}},
      ops.softmax(engine.tensor{{0 / 0, 1.0}, {1.0, 1.0}}):tolist())
  end)

  it("takes an axis or a list of axes", function()
    local x = engine.tensor(rows_of(4, 6))
    local cube = ops.reshape(x, {2, 3, 4})
    near(ops.transpose(ops.softmax(ops.transpose(x))):tolist(), ops.softmax(x, 1):tolist())
    near(ops.reshape(ops.softmax(ops.reshape(cube, {2, 12})), {2, 3, 4}):tolist(),
      ops.softmax(cube, {2, 3}):tolist())
    near({1, 1, 1}, ops.sum(ops.softmax(cube, {1, -1}), {1, 3}):tolist())
    assert.same({2, 3, 4}, ops.log_softmax(cube, 2).shape)
    assert.matches("softmax: axis 4 is out of range for a tensor of 3 axes",
      message(ops.softmax, cube, 4))
    assert.matches("softmax: expected at least one axis", message(ops.softmax, 1.0))
  end)

  it("keeps 16-bit dtypes and makes floats of integers", function()
    assert.equal("float16", ops.softmax(ops.cast(engine.tensor{{1.0, 2.0}}, "float16")).dtype)
    assert.equal("float32", ops.softmax(engine.tensor{{1, 2}}).dtype)
  end)

  it("accepts what is empty", function()
    assert.same({0, 3}, ops.softmax(ops.zeros{0, 3}).shape)
    assert.same({3, 0}, ops.log_softmax(ops.zeros{3, 0}).shape)
  end)

  it("gives the same with one thread as with two", function()
    local threads, x = engine.get_num_threads(), engine.tensor(rows_of(3000, 11))
    engine.set_num_threads(1)
    local one = ops.softmax(x):flat()
    engine.set_num_threads(2)
    local two = ops.softmax(ops.copy(x)):flat()
    engine.set_num_threads(threads)
    assert.same(one, two)
  end)
end)

describe("cross-entropy", function()
  local logits = engine.tensor(rows_of(5, 4))
  local target = engine.tensor{{0.1, 0.2, 0.3, 0.4}, {1, 0, 0, 0}, {0, 0, 0, 0}, {0.5, 0.5, 0, 0},
    {0, 2, 0, 1.0}}
  local labels = engine.tensor{0, 3, 1, 2, 0}
  local log_p = ops.log_softmax(logits)

  it("from logits is the sum over the logarithm of softmax", function()
    local expected = -ops.sum(target * log_p, 2)
    near(expected:tolist(), ops.categorical_crossentropy(target, logits, true):tolist(), 1e-5)
    near(expected:tolist(),
      ops.categorical_crossentropy(ops.transpose(target), ops.transpose(logits), true, 1):tolist(),
      1e-5)
    local rows = log_p:tolist()
    near({-rows[1][1], -rows[2][4], -rows[3][2], -rows[4][3], -rows[5][1]},
      ops.sparse_categorical_crossentropy(labels, logits, true):tolist(), 1e-5)
  end)

  it("from long rows of logits is the same", function()
    local x = engine.tensor(rows_of(3, 2500), {dtype = "float64"})
    local t = ops.softmax(ops.flip(x, 2))
    near((-ops.sum(t * ops.log_softmax(x), 2)):tolist(),
      ops.categorical_crossentropy(t, x, true):tolist(), 1e-10)
  end)

  it("from probabilities normalises and clips them", function()
    local p = engine.tensor{{2, 6}, {0, 4}, {1, 0}}
    local expected = {-math.log(0.25), -math.log(1 - 1e-7), -math.log(1e-7)}
    near(expected, ops.categorical_crossentropy(engine.tensor{{1, 0}, {0, 1}, {0, 1}}, p):tolist(),
      1e-5)
    near(expected, ops.sparse_categorical_crossentropy(engine.tensor{0, 1, 1}, p):tolist(), 1e-5)
    near(expected, ops.sparse_categorical_crossentropy(engine.tensor{{0}, {1}, {1}}, p):tolist(),
      1e-5)
  end)

  it("is zero for a label that is no class", function()
    local wrong = engine.tensor{-1, 4, 1, 2, 100}
    for _, from_logits in ipairs{true, false} do
      local x = from_logits and logits or ops.softmax(logits)
      local loss = ops.sparse_categorical_crossentropy(wrong, x, from_logits):tolist()
      assert.is_true(loss[1] == 0 and loss[2] == 0 and loss[5] == 0 and loss[3] > 0)
      local tape <close> = engine.tape()
      tape:watch(x)
      local gradient = tape:gradient({ops.sum(ops.sparse_categorical_crossentropy(wrong, x,
        from_logits))}, {x})[1]:tolist()
      near({0, 0, 0, 0}, gradient[1])
      near({0, 0, 0, 0}, gradient[5])
    end
  end)

  it("of two classes, from probabilities and from logits", function()
    local t, x = engine.tensor{0.0, 1.0, 0.3}, engine.tensor{-2.0, 30.0, 0.7}
    local p = ops.sigmoid(x)
    near((-(t * ops.log(p) + (1 - t) * ops.log(1 - p))):tolist()[3],
      ops.binary_crossentropy(t, x, true):tolist()[3], 1e-5)
    near({math.log(1 + math.exp(-2)), math.exp(-30)},
      {table.unpack(ops.binary_crossentropy(t, x, true):tolist(), 1, 2)}, 1e-6)
    near({-math.log(1 - 1e-7)},
      ops.binary_crossentropy(engine.tensor{1.0}, engine.tensor{1.0}):tolist())
  end)

  it("says what does not fit", function()
    assert.matches(
      "categorical_crossentropy: target and output must have the same shape, got %[5%] and %[5, "
      .. "4%]",
      message(ops.categorical_crossentropy, labels, logits))
    assert.matches(
      "sparse_categorical_crossentropy: target must have the output's shape without its last "
      .. "axis, got %[5, 4%]",
      message(ops.sparse_categorical_crossentropy, target, logits))
    assert.matches("axis 3 is out of range",
      message(ops.categorical_crossentropy, target, logits, true, 3))
  end)
end)
