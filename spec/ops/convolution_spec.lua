--- Convolutions: float32 (oneDNN) compared with float64 (the reference), gradients of both orders,
-- geometry, messages.
local cusp = require "cusp"

local ops = cusp.ops

local function random(shape, dtype)
  return ops.cast(cusp.random.uniform(shape, {minval = -1, maxval = 1}), dtype or "float64")
end

local function difference(a, b)
  return ops.max(ops.abs(ops.subtract(ops.cast(a, "float64"), ops.cast(b, "float64")))):item()
end

-- The value of f and the gradients of sum(f * weights) with respect to its arguments.
local function value_and_gradients(f, arguments, weights)
  local tape <close> = cusp.GradientTape()
  for _, x in ipairs(arguments) do tape:watch(x) end
  local y = f(table.unpack(arguments))
  local loss = ops.sum(ops.multiply(y, weights))
  return y, tape:gradient(loss, arguments)
end

-- Both dtypes give the same values and gradients; float64 always uses the reference.
local function check_agreement(f, arguments)
  local narrow = {}
  for i, x in ipairs(arguments) do narrow[i] = ops.cast(x, "float32") end
  local weights = random(f(table.unpack(arguments)).shape)
  local y, dy = value_and_gradients(f, arguments, weights)
  local z, dz = value_and_gradients(f, narrow, ops.cast(weights, "float32"))
  assert.are.equal("float32", z.dtype)
  assert.is_true(difference(y, z) < 1e-4)
  for i = 1, #arguments do
    assert.are.same(arguments[i].shape, dy[i].shape)
    assert.is_true(difference(dy[i], dz[i]) < 1e-3, "gradient " .. i)
  end
end

-- Compares d sum(f(x) * weights) along a random direction with a central difference.
local function check_slope(f, arguments)
  local weights = random(f(table.unpack(arguments)).shape)
  local _, gradients = value_and_gradients(f, arguments, weights)
  for i = 1, #arguments do
    local direction, step = random(arguments[i].shape), 1e-5
    local slope = ops.sum(ops.multiply(gradients[i], direction)):item()
    local ends = {}
    for side = -1, 1, 2 do
      local moved = table.pack(table.unpack(arguments))
      moved[i] = ops.add(arguments[i], ops.multiply(direction, side * step))
      ends[#ends + 1] = ops.sum(ops.multiply(f(table.unpack(moved)), weights)):item()
    end
    assert.is_true(math.abs((ends[2] - ends[1]) / (2 * step) - slope)
      < 1e-6 * (1 + math.abs(slope)), "argument " .. i)
  end
end

describe("conv", function()
  it("is a sum of products", function()
    local x = cusp.tensor({1, 2, 3, 4}, {shape = {1, 4, 1}, dtype = "float32"})
    local kernel = cusp.tensor({1, 10}, {shape = {2, 1, 1}, dtype = "float32"})
    assert.are.same({21, 32, 43}, ops.conv(x, kernel):flat())
    assert.are.same({21, 32, 43, 4}, ops.conv(x, kernel, {padding = "same"}):flat())
    assert.are.same({10, 21, 32, 43}, ops.conv(x, kernel, {padding = "causal"}):flat())
    assert.are.same({21, 43}, ops.conv(x, kernel, 2):flat())
    assert.are.same({31, 42}, ops.conv(x, kernel, {dilation_rate = 2}):flat())
  end)

  local cases = {
    {"one axis", {2, 9, 3}, {3, 3, 4}, {padding = "valid"}},
    {"causal, dilated", {2, 9, 3}, {3, 3, 4}, {padding = "causal", dilation_rate = 2}},
    {"two axes", {2, 7, 8, 3}, {3, 2, 3, 5}, {padding = "valid"}},
    {"strides that leave a rest", {2, 8, 9, 3}, {3, 3, 3, 5}, {strides = 2}},
    {"padding on one side", {2, 7, 8, 3}, {2, 4, 3, 5}, {padding = "same", strides = {1, 3}}},
    {"dilation", {1, 9, 9, 2}, {3, 3, 2, 4}, {dilation_rate = {2, 3}, padding = "same"}},
    {"groups", {2, 6, 6, 6}, {3, 3, 2, 9}, {padding = "same"}},
    {"many channels", {1, 6, 5, 32}, {3, 3, 32, 48}, {padding = "same"}},
    {"channels first", {2, 3, 7, 8}, {3, 3, 3, 5}, {data_format = "channels_first"}},
    {"three axes", {1, 4, 5, 6, 2}, {2, 3, 2, 2, 3}, {padding = "same", strides = {1, 2, 1}}},
    {"a window of one", {2, 4, 4, 8}, {1, 1, 8, 16}, {padding = "valid"}},
  }
  for _, case in ipairs(cases) do
    local function conv(x, kernel) return ops.conv(x, kernel, case[4]) end
    it("agrees in both precisions: " .. case[1], function()
      check_agreement(conv, {random(case[2]), random(case[3])})
    end)
    it("has the gradient of its differences: " .. case[1], function()
      check_slope(conv, {random(case[2]), random(case[3])})
    end)
  end

  it("has gradients of gradients", function()
    local function penalty(x, kernel)
      local tape <close> = cusp.GradientTape()
      tape:watch(x)
      local y = ops.sum(ops.tanh(ops.conv(x, kernel, {strides = 2, padding = "same"})))
      return ops.square(tape:gradient(y, x))
    end
    check_slope(penalty, {random{1, 5, 5, 2}, random{3, 3, 2, 3}})
  end)

  it("takes an empty batch and half precision", function()
    assert.are.same({0, 3, 3, 4}, ops.conv(cusp.zeros{0, 5, 5, 2}, cusp.ones{3, 3, 2, 4}).shape)
    local y = ops.conv(cusp.ones({1, 3, 3, 1}, {dtype = "float16"}),
      cusp.ones({3, 3, 1, 1}, {dtype = "float16"}))
    assert.are.equal("float16", y.dtype)
    assert.are.equal(9, y:item())
  end)

  it("reads strided inputs", function()
    local x, kernel = random{2, 8, 8, 3}, random{3, 3, 3, 2}
    local turned = ops.transpose(x, {1, 3, 2, 4})
    local copied = cusp.tensor(turned:flat(), {shape = turned.shape, dtype = "float64"})
    assert.is_true(difference(ops.conv(turned, kernel), ops.conv(copied, kernel)) == 0)
  end)

  it("says what is wrong", function()
    local x = cusp.zeros{2, 8, 8, 3}
    local function fails(message, ...)
      local ok, text = pcall(ops.conv, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(text):find(message, 1, true), tostring(text))
    end
    fails("multiple of the kernel's (2)", x, cusp.zeros{3, 3, 2, 4})
    fails("a kernel of 4 axes", x, cusp.zeros{3, 3, 4})
    fails("the output would be empty", x, cusp.zeros{9, 3, 3, 4})
    fails("padding should be", x, cusp.zeros{3, 3, 3, 4}, {padding = "full"})
    fails("data_format should be", x, cusp.zeros{3, 3, 3, 4}, {data_format = "last"})
    fails("strides should be positive", x, cusp.zeros{3, 3, 3, 4}, {strides = 0})
    fails("strides should be one number or 2", x, cusp.zeros{3, 3, 3, 4}, {strides = {1, 1, 1}})
    fails("3 to 5 axes", cusp.zeros{2, 3}, cusp.zeros{3, 3, 3, 4})
  end)
end)

describe("depthwise and separable convolutions", function()
  it("agree in both precisions", function()
    local function same(x, k) return ops.depthwise_conv(x, k, {padding = "same"}) end
    check_agreement(same, {random{2, 6, 6, 5}, random{3, 3, 5, 1}})
    check_agreement(function(x, k)
      return ops.depthwise_conv(x, k, {strides = 2})
    end, {random{2, 7, 7, 4}, random{3, 3, 4, 2}})
    check_agreement(function(x, d, p) return ops.separable_conv(x, d, p) end,
      {random{2, 6, 6, 3}, random{3, 3, 3, 2}, random{1, 1, 6, 4}})
  end)

  it("work on each channel by itself", function()
    local x, kernel = random{1, 5, 5, 2}, random{3, 3, 2, 1}
    local both = ops.depthwise_conv(x, kernel)
    local second = ops.conv(x:slice{{}, {}, {}, {2, 2}},
      kernel:slice{{}, {}, {2, 2}, {padding = "valid"}})
    assert.is_true(difference(both:slice{{}, {}, {}, {2, 2}}, second) < 1e-12)
  end)
end)

describe("conv_transpose", function()
  local cases = {
    {"valid", {1, 4, 3, 2}, {3, 3, 4, 2}, {padding = "valid"}, {1, 6, 5, 4}},
    {"strided", {1, 4, 3, 2}, {3, 3, 4, 2}, {strides = 2}, {1, 9, 7, 4}},
    {"a window shorter than the stride", {1, 4, 2}, {2, 3, 2}, {strides = 3}, {1, 12, 3}},
    {"same", {1, 4, 3, 2}, {3, 3, 4, 2}, {strides = 2, padding = "same"}, {1, 8, 6, 4}},
    {"output padding", {1, 4, 3, 2}, {3, 3, 4, 2},
      {strides = 2, padding = "same", output_padding = {0, 1}}, {1, 7, 6, 4}},
    {"dilated", {1, 4, 3, 2}, {3, 3, 4, 2}, {dilation_rate = 2}, {1, 8, 7, 4}},
    {"three axes", {1, 2, 3, 2, 2}, {2, 2, 2, 3, 2}, {strides = 2}, {1, 4, 6, 4, 3}},
  }
  for _, case in ipairs(cases) do
    local function f(x, kernel) return ops.conv_transpose(x, kernel, case[4]) end
    it("has Keras's shape and agrees in both precisions: " .. case[1], function()
      local x, kernel = random(case[2]), random(case[3])
      assert.are.same(case[5], f(x, kernel).shape)
      check_agreement(f, {x, kernel})
    end)
    it("has the gradient of its differences: " .. case[1], function()
      check_slope(f, {random(case[2]), random(case[3])})
    end)
  end

  it("is the adjoint of conv", function()
    local x, y, kernel = random{2, 7, 6, 3}, random{2, 3, 2, 4}, random{3, 3, 3, 4}
    local forward = ops.sum(ops.multiply(ops.conv(x, kernel, {strides = 2}), y)):item()
    -- [2, 7, 5, 3]: no window read the last column
    local back = ops.conv_transpose(y, kernel, {strides = 2})
    local backward = ops.sum(ops.multiply(x:slice{{}, {}, {1, 5}, {padding = "valid"}},
      back)):item()
    assert.is_true(math.abs(forward - backward) < 1e-9)
  end)
end)
