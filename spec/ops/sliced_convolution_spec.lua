--- Convolutions shared by several threads: each slice, of images or of a band of one, against the
-- reference (float64), for each number of threads.
local cusp = require "cusp"

local ops = cusp.ops

local function random(shape, seed)
  return cusp.random.uniform(shape, {minval = -1, maxval = 1, seed = seed})
end

local function largest_difference(a, b)
  return ops.max(ops.abs(ops.subtract(ops.cast(a, "float64"), b))):item()
end

-- A convolution and its gradients with respect to the input and the kernel.
local function faces(x, kernel, weights, options)
  local tape <close> = cusp.GradientTape()
  tape:watch(x)
  tape:watch(kernel)
  local y = ops.conv(x, kernel, options)
  local loss = ops.sum(y * weights)
  return {y, table.unpack(tape:gradient(loss, {x, kernel}))}
end

local function check(x_shape, kernel_shape, options)
  local x, kernel = random(x_shape, 1), random(kernel_shape, 2)
  local weights = random(ops.conv(x, kernel, options).shape, 3)
  local found = faces(x, kernel, weights, options)
  local right = faces(ops.cast(x, "float64"), ops.cast(kernel, "float64"),
    ops.cast(weights, "float64"), options)
  for i, tensor in ipairs(found) do
    local size = ops.max(ops.abs(right[i])):item()
    assert.is_true(largest_difference(tensor, right[i]) < 1e-5 * (1 + size),
      ("face %d of %s and %s"):format(i, table.concat(x_shape, "x"),
        table.concat(kernel_shape, "x")))
  end
end

-- Kernels and options; of which images, by size (each size is another plan).
local cases = {
  {"windows of 3", {3, 3, 32, 48}, {padding = "same"}},
  {"strides", {3, 3, 32, 48}, {padding = "same", strides = 2}},
  {"windows of 5 without padding", {5, 4, 32, 32}, {}},
  {"dilations", {3, 3, 32, 48}, {padding = "same", dilation_rate = 2}},
  {"single positions", {1, 1, 192, 320}, {}},
  {"strides over single positions", {1, 1, 192, 320}, {strides = 2}},
  {"groups", {3, 3, 16, 64}, {padding = "same"}, 64},
  {"strides longer than windows", {2, 2, 48, 64}, {strides = 3}},
}

describe("a convolution in slices", function()
  local threads = cusp.get_num_threads()
  after_each(function() cusp.set_num_threads(threads) end)

  for _, case in ipairs(cases) do
    local name, kernel, options, channels = table.unpack(case)
    it("is right: " .. name, function()
      for count = 1, 5 do
        cusp.set_num_threads(count)
        for _, images in ipairs{1, 2, 3, 7} do
          check({images, 15, 10 + count, channels or kernel[3]}, kernel, options)
        end
      end
    end)
  end

  it("is right along one axis and three", function()
    cusp.set_num_threads(3)
    check({1, 700, 32}, {5, 32, 48}, {padding = "causal"})
    check({2, 700, 32}, {5, 32, 48}, {padding = "same", strides = 2})
    check({1, 9, 8, 7, 32}, {3, 3, 3, 32, 48}, {padding = "same"})
    check({2, 9, 8, 7, 32}, {3, 3, 3, 32, 48}, {padding = "same", strides = 2})
  end)

  it("is right where rows are few", function()
    cusp.set_num_threads(5)
    check({1, 2, 64, 64}, {3, 3, 64, 64}, {padding = "same"})
    check({1, 1, 1, 512}, {3, 3, 512, 512}, {padding = "same"})
    check({2, 3, 3, 256}, {3, 3, 256, 256}, {padding = "same"})
  end)

  it("gives the same numbers each time", function()
    cusp.set_num_threads(3)
    local x, kernel = random({6, 20, 20, 32}, 1), random({3, 3, 32, 64}, 2)
    local weights = random({6, 20, 20, 64}, 3)
    local first = faces(x, kernel, weights, {padding = "same"})
    for _ = 1, 3 do
      for i, again in ipairs(faces(x, kernel, weights, {padding = "same"})) do
        assert.is_true(ops.all(ops.equal(first[i], again)):item())
      end
    end
  end)
end)
