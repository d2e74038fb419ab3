--- Reading and writing at positions, which count from 0 and are never out of bounds.
local cusp = require "cusp"
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local matrix = engine.tensor{{1, 2, 3}, {4, 5, 6}}

describe("take", function()
  it("reads along an axis, or of all elements", function()
    assert.same({{3, 1}, {6, 4}}, ops.take(matrix, {2, 0}, 2):tolist())
    assert.same({{{4, 5, 6}}}, ops.take(matrix, {{1}}, 1):tolist())
    assert.same({6, 1}, ops.take(matrix, {-1, 0}):tolist())
    assert.same({2, 5}, ops.take(matrix, 1, -1):tolist())
    assert.same({2, 0}, ops.take(matrix, ops.zeros({0}, "int32"), 2).shape)
  end)

  it("accepts every integer dtype", function()
    for _, dtype in ipairs{"int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64"} do
      assert.same({{4, 5, 6}}, ops.take(matrix, engine.tensor({1}, {dtype = dtype}), 1):tolist())
    end
    assert.matches("should be integers", message(ops.take, matrix, engine.tensor{0.5}, 1), 1, true)
  end)

  it("refuses what lies outside when it is computed", function()
    local outside = ops.take(matrix, {2}, 1)
    assert.matches("index 2 is out of range for an axis of size 2",
      message(outside.tolist, outside), 1, true)
    outside = ops.take_along_axis(matrix, {{-4}, {0}}, 2)
    assert.matches("index -4 is out of range", message(outside.tolist, outside), 1, true)
  end)

  it("reads each line's own positions", function()
    assert.same({{3, 1}, {5, 5}}, ops.take_along_axis(matrix, {{2, 0}, {1, -2}}, 2):tolist())
    assert.same({{1, 5, 3}}, ops.take_along_axis(matrix, {{0, 1, 0}}, 1):tolist())
  end)
end)

describe("scattering", function()
  it("adds what meets", function()
    assert.same({0, 30, 3, 0}, ops.scatter({{1}, {2}, {1}}, {10, 3, 20}, {4}):tolist())
    assert.same({{1, 2, 3}, {9, 5, 6}}, ops.scatter_update(matrix, {{1, 0}}, {9}):tolist())
    assert.same({{1, 2, 3}, {4, 5, 16}},
      ops.scatter_update(matrix, {{1, -1}}, {10}, "add"):tolist())
    assert.same({7, 2}, ops.scatter_update(engine.tensor{1, 2}, {{0}, {1}}, {7, 1}, "max"):tolist())
    local bytes = ops.zeros({3}, "uint8")
    assert.same({0, 255, 0}, ops.scatter_update(bytes, {{1}}, {255}):tolist())
    assert.matches("scatter_update: argument 'updates': at position {1}: 300 does not fit uint8",
      message(ops.scatter_update, bytes, {{0}}, {300}), 1, true)
    assert.matches("-1 does not fit uint8", message(ops.slice_update, bytes, {0}, {-1}), 1, true)
    assert.same({0, 1, 0}, ops.slice_update(bytes, {1}, {1.5}):tolist())
    assert.matches("unknown reduction", message(ops.scatter_update, matrix, {{0, 0}}, {1}, "sub"),
      1, true)
  end)

  it("refuses what lies outside", function()
    local outside = ops.scatter({{4}}, {1.0}, {4})
    assert.matches("lies outside the shape", message(outside.tolist, outside), 1, true)
    assert.matches("updates of shape", message(ops.scatter, {{0}}, {1.0, 2.0}, {4}), 1, true)
  end)

  it("is the same at any number of threads", function()
    local count, columns = 5000, 48
    local ids, data = {}, {}
    for i = 1, count do ids[i] = i * 7919 % 64 end
    for i = 1, count * columns do data[i] = math.sin(i) end
    local updates = engine.tensor(data, {shape = {count, columns}, dtype = "float32"})
    local before, results = engine.get_num_threads(), {}
    for threads = 1, 2 do
      engine.set_num_threads(threads)
      results[threads] = {
        ops.segment_sum(updates, ids, 64):flat(),
        ops.segment_sum(ops.reshape(updates, {count * columns // 4, 4}),
          ops.tile(ids, columns // 4), 64):flat(),
        ops.take(updates, ids, 1):flat(),
      }
    end
    engine.set_num_threads(before)
    assert.same(results[1], results[2])
  end)

  it("is the same in rows of any width, read where they lie", function()
    local count, segments = 700, 40
    local ids = cusp.random.randint({count}, -3, segments + 3)
    local places = ids:tolist()
    for _, columns in ipairs{1, 2, 3, 16, 17, 32, 40, 64} do
      local wide = cusp.random.randint({count, 2 * columns}, -9, 10):cast "float32"
      local part = wide:slice{{}, {columns + 1, 2 * columns}}
      local list, sums = part:tolist(), {}
      for i = 1, segments * columns do sums[i] = 0 end
      for i, id in ipairs(places) do
        for column = 1, id >= 0 and id < segments and columns or 0 do
          local at = id * columns + column
          sums[at] = sums[at] + list[i][column]
        end
      end
      for _, dtype in ipairs{"float32", "float64", "bfloat16", "int32"} do
        local typed = ops.cast(part, dtype)
        local found = ops.segment_sum(typed, ids, segments)
        assert.same(sums, ops.cast(found, "float32"):flat())
        assert.same(ops.flip(found, 1):flat(),
          ops.segment_sum(ops.flip(typed, 1), segments - 1 - ops.flip(ids, 1), segments):flat())
      end
    end
  end)

  it("adds what several positions of several axes read in gradients", function()
    local x = cusp.random.randint({5, 6, 4}, -9, 10):cast "float32"
    local places = cusp.random.randint({300}, -6, 6)
    local tape <close> = cusp.GradientTape()
    tape:watch(x)
    local y = ops.sum(ops.take(x, places, {axis = 2}) * ops.reshape(places, {1, 300, 1}))
    local sums = {0, 0, 0, 0, 0, 0}
    for _, place in ipairs(places:tolist()) do sums[place % 6 + 1] = sums[place % 6 + 1] + place end
    local gradient = tape:gradient(y, x)
    for at = 1, 6 do
      for _, value in ipairs(gradient:slice{{}, at}:flat()) do assert.equal(sums[at], value) end
    end
  end)

  it("gives attention along edges the same numbers in a trace, at any number of threads", function()
    local nodes, edges, units = 200, 3000, 16
    local targets = cusp.random.randint({edges}, 0, nodes)
    local sources = cusp.random.randint({edges}, 0, nodes)
    local function attend(x, attention)
      local tape <close> = cusp.GradientTape()
      tape:watch(x)
      tape:watch(attention)
      local from = ops.take(x, sources, {axis = 1})
      local both = ops.concatenate({ops.take(x, targets, {axis = 1}), from}, -1)
      local scores = ops.exp(ops.squeeze(ops.matmul(both, attention), {axis = 2}))
      local sums = ops.segment_sum(scores, targets, {num_segments = nodes})
      local weights = ops.expand_dims(scores / ops.take(sums, targets), 2)
      local y = ops.segment_sum(from * weights, targets, {num_segments = nodes})
      local gradients = tape:gradient(ops.sum(y * y), {x, attention})
      return y, gradients[1], gradients[2]
    end
    local x, attention = cusp.random.normal{nodes, units}, cusp.random.normal{2 * units, 1}
    local before, results = engine.get_num_threads(), {}
    for threads = 1, 2 do
      engine.set_num_threads(threads)
      for _, f in ipairs{attend, cusp.compile(attend)} do
        local found = {f(x, attention)}
        for i, value in ipairs(found) do found[i] = value:flat() end
        results[#results + 1] = found
      end
    end
    engine.set_num_threads(before)
    for i = 2, #results do assert.same(results[1], results[i]) end
  end)

  it("makes segments, dropping ids outside", function()
    assert.same({4, 0, 2}, ops.segment_sum({1, 2, 3, 9, 9}, {0, 2, 0, -1, 3}, 3):tolist())
    assert.same({3, -math.huge}, ops.segment_max({1.0, 3.0}, {0, 0}, 2):tolist())
    assert.same({1, 2}, ops.segment_sum({1, 2}, {0, 1}):tolist())
  end)
end)

describe("encodings", function()
  it("are one or several ones a sample", function()
    assert.same({{0, 1, 0}, {0, 0, 0}}, ops.one_hot({1, 7}, 3):tolist())
    assert.same({{0, 0}, {1, 0}}, ops.one_hot({1, -1}, 2, 1):tolist())
    assert.equal("int32", ops.one_hot({1}, 2, {dtype = "int32"}).dtype)
    local deep = ops.zeros({1, 1, 1, 1, 1, 1, 1, 2}, "int32")
    assert.matches("9 axes; at most 8", message(ops.one_hot, deep, 2), 1, true)
    assert.same({{1, 1, 0}, {0, 0, 1}}, ops.multi_hot({{0, 1}, {2, 2}}, 3):tolist())
  end)
end)

describe("counting and finding", function()
  it("counts numbers", function()
    assert.same({1, 0, 2, 1}, ops.bincount{0, 2, 2, 3}:tolist())
    assert.same({0, 1.5, 0}, ops.bincount({1, 1}, {weights = {0.5, 1}, minlength = 3}):tolist())
    assert.same({{2, 0}, {1, 1}}, ops.bincount{{0, 0}, {0, 1}}:tolist())
  end)

  it("finds what is not zero", function()
    local rows, columns = ops.nonzero(engine.tensor{{0, 3}, {4, 0}})
    assert.same({0, 1}, rows:tolist())
    assert.same({1, 0}, columns:tolist())
    assert.same({1, 2}, ops.digitize({1, 2}, {1, 2}):tolist())
    local row, column = ops.unravel_index({5, 7}, {3, 4})
    assert.same({1, 1}, row:tolist())
    assert.same({1, 3}, column:tolist())
  end)

  it("asks no value of a traced tensor", function()
    local trace = engine.trace()
    local ok, text = pcall(ops.nonzero, trace:placeholder({2}, "float32"))
    trace:abandon()
    assert.is_false(ok)
    assert.is_string(tostring(text))
  end)
end)
