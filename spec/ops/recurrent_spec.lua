--- The LSTM and GRU rows compared with ones written in Lua from elementwise rows: masks, either
-- direction, states, gradients.
local engine = require "cusp.engine"
local ops = engine.ops

local function values(shape, seed)
  local count, data = 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for i = 1, count do data[i] = ((i * 0.6180339887498949 + seed * 0.37) % 1) * 2 - 1 end
  return engine.tensor(data, {shape = shape, dtype = "float64"})
end

local function near(expected, got, tolerance)
  expected, got = expected:flat(), got:flat()
  assert.equal(#expected, #got)
  for i = 1, #expected do assert.near(expected[i], got[i], tolerance) end
end

--- keras.layers.LSTM's steps.
local function reference(x, h, c, kernel, recurrent, bias, mask, backwards)
  local time, outputs = x.shape[2], {}
  for step = 1, time do
    local t = backwards and time + 1 - step or step
    local now = ops.squeeze(ops.take(x, engine.tensor({t - 1}, {dtype = "int32"}), 2), 2)
    local z = ops.matmul(now, kernel) + ops.matmul(h, recurrent)
    if bias then z = z + bias end
    local zi, zf, zc, zo = table.unpack(ops.split(z, 4, 2))
    local c_next = ops.sigmoid(zf) * c + ops.sigmoid(zi) * ops.tanh(zc)
    local h_next = ops.sigmoid(zo) * ops.tanh(c_next)
    if mask then
      local on = ops.take(mask, engine.tensor({t - 1}, {dtype = "int32"}), 2)
      h_next, c_next = ops.where(on, h_next, h), ops.where(on, c_next, c)
    end
    h, c = h_next, c_next
    outputs[step] = h
  end
  return ops.stack(outputs, 2), h, c
end

local function arguments(batch, time, input, units)
  return values({batch, time, input}, 1), values({batch, units}, 2), values({batch, units}, 3),
    values({input, 4 * units}, 4),
    values({units, 4 * units}, 5), values({4 * units}, 6)
end

local function mask_of(batch, time)
  local rows = {}
  for b = 1, batch do
    rows[b] = {}
    for t = 1, time do rows[b][t] = (b * 5 + t * 3) % 4 ~= 0 end
  end
  return engine.tensor(rows)
end

--- Sums of all results, weighted differently, and their gradients with respect to `sources`.
local function gradients(f, sources)
  local tape <close> = engine.tape()
  for _, source in ipairs(sources) do tape:watch(source) end
  local sequence, h, c = f()
  local total = ops.sum(sequence * values(sequence.shape, 7)) + ops.sum(h * values(h.shape, 8))
  if c then total = total + ops.sum(c * values(c.shape, 9)) end
  return tape:gradient({total}, sources)
end

--- keras.layers.GRU's steps with reset_after = true.
local function gru_reference(x, h, kernel, recurrent, bias, mask, backwards)
  local time, outputs = x.shape[2], {}
  for step = 1, time do
    local t = backwards and time + 1 - step or step
    local now = ops.squeeze(ops.take(x, engine.tensor({t - 1}, {dtype = "int32"}), 2), 2)
    local from_x, from_h = ops.matmul(now, kernel), ops.matmul(h, recurrent)
    if bias then from_x, from_h = from_x + bias[1], from_h + bias[2] end
    local xz, xr, xc = table.unpack(ops.split(from_x, 3, 2))
    local hz, hr, hc = table.unpack(ops.split(from_h, 3, 2))
    local update = ops.sigmoid(xz + hz)
    local candidate = ops.tanh(xc + ops.sigmoid(xr + hr) * hc)
    local h_next = update * h + (1 - update) * candidate
    if mask then
      h_next = ops.where(ops.take(mask, engine.tensor({t - 1}, {dtype = "int32"}), 2), h_next, h)
    end
    h = h_next
    outputs[step] = h
  end
  return ops.stack(outputs, 2), h
end

local cases = {{}, {backwards = true}, {mask = true}, {mask = true, backwards = true},
  {no_bias = true, mask = true}}
local function name_of(case)
  return (case.mask and "masked " or "") .. (case.backwards and "backwards " or "")
    .. (case.no_bias and "without bias " or "")
end

describe("gru", function()
  for _, case in ipairs(cases) do
    it(name_of(case) .. "is its steps, with gradients", function()
      for _, sizes in ipairs{{1, 1, 1, 1}, {3, 5, 2, 4}, {11, 3, 4, 2}} do
        local batch, time, input, units = table.unpack(sizes)
        local x, h, kernel = values({batch, time, input}, 1), values({batch, units}, 2),
          values({input, 3 * units}, 4)
        local recurrent, bias = values({units, 3 * units}, 5),
          not case.no_bias and values({2, 3 * units}, 6) or nil
        local mask = case.mask and mask_of(batch, time) or nil
        local function row()
          return ops.gru(x, h, kernel, recurrent, bias, mask,
            {go_backwards = case.backwards or false})
        end
        local function steps()
          return gru_reference(x, h, kernel, recurrent, bias, mask, case.backwards)
        end
        local got, expected = {row()}, {steps()}
        for i = 1, 2 do near(expected[i], got[i], 1e-12) end
        local sources = {x, h, kernel, recurrent, bias}
        local dgot, dexpected = gradients(row, sources), gradients(steps, sources)
        for i = 1, #sources do near(dexpected[i], dgot[i], 1e-11) end
      end
    end)
  end

  it("says which argument does not fit", function()
    local x, h, recurrent = values({2, 3, 4}, 1), values({2, 5}, 2), values({5, 15}, 4)
    local ok, text = pcall(ops.gru, x, h, recurrent, recurrent)
    assert.is_false(ok)
    assert.matches("kernel must have shape %[4, 15%], got %[5, 15%]", text)
  end)
end)

describe("lstm", function()
  for _, case in ipairs(cases) do
    it(name_of(case) .. "is its steps, with gradients", function()
      for _, sizes in ipairs{{1, 1, 1, 1}, {3, 5, 2, 4}, {11, 3, 4, 2}} do
        local x, h, c, kernel, recurrent, bias = arguments(table.unpack(sizes))
        local mask = case.mask and mask_of(sizes[1], sizes[2]) or nil
        if case.no_bias then bias = nil end
        local function row()
          return ops.lstm(x, h, c, kernel, recurrent, bias, mask,
            {go_backwards = case.backwards or false})
        end
        local function steps()
          return reference(x, h, c, kernel, recurrent, bias, mask, case.backwards)
        end
        local got, expected = {row()}, {steps()}
        for i = 1, 3 do near(expected[i], got[i], 1e-12) end
        local sources = {x, h, c, kernel, recurrent, bias}
        local dgot, dexpected = gradients(row, sources), gradients(steps, sources)
        for i = 1, #sources do near(dexpected[i], dgot[i], 1e-11) end
      end
    end)
  end

  it("gives float32 what float64 gives, to float32's precision", function()
    local wide = {arguments(32, 20, 8, 16)}
    local narrow = {}
    for i, t in ipairs(wide) do narrow[i] = ops.cast(t, "float32") end
    local a, b = ops.lstm(table.unpack(wide)), ops.lstm(table.unpack(narrow))
    assert.equal("float32", b.dtype)
    near(a, ops.cast(b, "float64"), 1e-5)
    assert.equal("float16",
      ops.lstm(ops.cast(narrow[1], "float16"), ops.cast(narrow[2], "float16"),
        ops.cast(narrow[3], "float16"),
      ops.cast(narrow[4], "float16"), ops.cast(narrow[5], "float16")).dtype)
  end)

  it("gives the same with one thread as with two", function()
    local threads, list = engine.get_num_threads(), {arguments(16, 30, 24, 16)}
    local function run()
      local copies = {}
      for i, t in ipairs(list) do copies[i] = ops.copy(t) end
      local result = gradients(function() return ops.lstm(table.unpack(copies)) end, copies)
      for i, t in ipairs(result) do result[i] = t:flat() end
      return result
    end
    engine.set_num_threads(1)
    local one = run()
    engine.set_num_threads(2)
    local two = run()
    engine.set_num_threads(threads)
    for i = 1, #one do
      for k = 1, #one[i] do assert.near(one[i][k], two[i][k], 1e-10) end
    end
  end)

  it("passes the states through where there is no time", function()
    local _, h, c, kernel, recurrent, bias = arguments(2, 1, 3, 2)
    local sequence, h1, c1 = ops.lstm(ops.zeros({2, 0, 3}, "float64"), h, c, kernel, recurrent,
      bias)
    assert.same({2, 0, 2}, sequence.shape)
    near(h, h1, 0)
    near(c, c1, 0)
  end)

  it("says which argument does not fit", function()
    local x, h, c, kernel, recurrent, bias = arguments(2, 3, 4, 5)
    local function message(...)
      local ok, text = pcall(ops.lstm, ...)
      assert.is_false(ok)
      return text
    end
    assert.matches("x must have shape %[batch, time, input%], got %[2, 5%]",
      message(h, h, c, kernel, recurrent))
    assert.matches("kernel must have shape %[4, 20%], got %[5, 20%]",
      message(x, h, c, recurrent, recurrent))
    assert.matches("h0 must have shape %[2, 5%], got %[20%]",
      message(x, bias, c, kernel, recurrent))
    assert.matches("mask must have shape %[2, 3%], got %[3, 2%]",
      message(x, h, c, kernel, recurrent, bias, ops.ones({3, 2}, "bool")))
  end)
end)
