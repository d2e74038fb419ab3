--- Gradients of depthwise kernels, each against the reference (float64) and for several numbers of
-- threads.
local cusp = require "cusp"

local ops = cusp.ops

local function random(shape, seed)
  return cusp.random.uniform(shape, {minval = -1, maxval = 1, seed = seed})
end

local function kernel_gradient(x, kernel, options)
  local tape <close> = cusp.GradientTape()
  tape:watch(kernel)
  local y = ops.depthwise_conv(x, kernel, options)
  local weights = ops.cast(random(y.shape, 3), x.dtype)
  return tape:gradient(ops.sum(y * weights), kernel)
end

local function check(x_shape, kernel_shape, options)
  local x, kernel = random(x_shape, 1), random(kernel_shape, 2)
  local right = kernel_gradient(ops.cast(x, "float64"), ops.cast(kernel, "float64"), options)
  local name, first = table.concat(x_shape, "x") .. " and " .. table.concat(kernel_shape, "x"), nil
  for count = 1, 3 do
    cusp.set_num_threads(count)
    local found = kernel_gradient(x, kernel, options)
    local difference = ops.max(ops.abs(ops.cast(found, "float64") - right)):item()
    assert.is_true(difference < 1e-5 * (1 + ops.max(ops.abs(right)):item()), name)
    first = first or found
    assert.is_true(ops.all(ops.equal(found, first)):item(), "threads: " .. name)
  end
end

describe("the gradient of a depthwise kernel", function()
  local threads = cusp.get_num_threads()
  after_each(function() cusp.set_num_threads(threads) end)

  it("is right where rows are shorter than windows", function()
    for _, size in ipairs{1, 2, 3} do
      check({8, size, size, 96}, {3, 3, 96, 1}, {padding = "same"})
      check({2, size, size, 40}, {5, 7, 40, 1}, {padding = "same"})
    end
  end)

  it("is right in bfloat16 where windows are longer than rows", function()
    for _, size in ipairs{1, 2} do
      local x = ops.cast(random({8, size, size, 96}, 1), "bfloat16")
      local kernel = ops.cast(random({3, 3, 96, 1}, 2), "bfloat16")
      local options = {padding = "same"}
      local found = ops.cast(kernel_gradient(x, kernel, options), "float64")
      local right = kernel_gradient(ops.cast(x, "float64"), ops.cast(kernel, "float64"), options)
      assert.is_true(ops.max(ops.abs(found - right)):item() < 0.03 * ops.max(ops.abs(right)):item())
    end
  end)

  it("is right for any number of channels", function()
    for _, channels in ipairs{2, 8, 16, 17, 24, 32, 48, 50, 144} do
      check({3, 9, 8, channels}, {3, 3, channels, 1}, {padding = "same"})
    end
  end)

  it("is right for strides, dilations and windows of every width", function()
    for width = 1, 8 do
      check({2, 11, 12, 48}, {2, width, 48, 1}, {padding = "same"})
      check({2, 11, 12, 48}, {2, width, 48, 1}, {padding = "same", strides = 2})
      check({2, 11, 12, 48}, {2, width, 48, 1}, {padding = "same", dilation_rate = 2})
      check({2, 11, 12, 20}, {3, width, 20, 1}, {padding = "valid", strides = 3})
    end
  end)

  it("is right along one axis", function()
    check({3, 40, 33}, {5, 33, 1}, {padding = "same"})
    check({3, 40, 33}, {5, 33, 1}, {padding = "causal", dilation_rate = 3})
  end)

  it("is right for many images, summed in groups", function()
    check({21, 32, 32, 64}, {3, 3, 64, 1}, {padding = "same"})
    check({40, 30, 30, 32}, {3, 3, 32, 1}, {padding = "same", strides = 2})
  end)
end)
