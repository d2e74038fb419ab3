--- Convolutions of single positions at few of them, and large ones on tiles, which are products of
-- matrices: all faces against the reference (float64), at and beside the sizes where that is done.
local cusp = require "cusp"

local ops = cusp.ops

local function random(...)
  return cusp.random.uniform({...}, {minval = -1, maxval = 1, seed = 1})
end

local function wide(x) return ops.cast(x, "float64") end

local function error_of(found, right)
  return ops.max(ops.abs(wide(found) - right)):item() / (1 + ops.max(ops.abs(right)):item())
end

-- The three faces of [images, size, size, channels] with `filters` filters.
local function faces(x, dy, kernel)
  local size, channels, filters = x.shape[2], x.shape[4], dy.shape[4]
  local one, none = {1, 1}, {0, 0}
  return {
    ops.conv_forward(x, kernel, one, none, one, {size, size}),
    ops.conv_input_gradient(dy, kernel, one, none, one, {size, size, channels}),
    ops.conv_kernel_gradient(x, dy, one, none, one, {1, 1, channels, filters}),
  }
end

describe("a convolution of single positions", function()
  for _, case in ipairs{{8, 2, 320, 1280}, {3, 1, 64, 64}, {1, 1, 64, 80}, {24, 2, 96, 64},
    {25, 2, 96, 64}, {48, 2, 70, 61}, {49, 2, 64, 64}, {2, 3, 8, 16}, {16, 4, 128, 128},
    {17, 4, 130, 150}, {5, 7, 160, 201}} do
    it("is right of " .. table.concat(case, " "), function()
      local images, size, channels, filters = table.unpack(case)
      local x, dy = random(images, size, size, channels), random(images, size, size, filters)
      local kernel = random(1, 1, channels, filters)
      local right = faces(wide(x), wide(dy), wide(kernel))
      for i, found in ipairs(faces(x, dy, kernel)) do
        assert.is_true(error_of(found, right[i]) < 1e-5, "face " .. i)
      end
    end)
  end

  it("with a bias and a normalisation behind it is right on tiles", function()
    local layers = cusp.layers
    local model = cusp.Sequential{cusp.Input{shape = {6, 6, 140}},
      layers.Conv2D{200, 1, bias_initializer = "random_normal"},
      layers.BatchNormalization{gamma_initializer = "random_uniform"}}
    local x = random(16, 6, 6, 140)
    local kernel, bias, gamma = table.unpack(model.weights)
    local scale = ops.divide(wide(gamma.value), (1 + 1e-3) ^ 0.5)
    local matrix = ops.reshape(wide(kernel.value), {140, 200})
    local rows = ops.matmul(ops.reshape(wide(x), {-1, 140}), matrix)
    local right = ops.reshape((rows + wide(bias.value)) * scale, {16, 6, 6, 200})
    for _ = 1, 2 do
      assert.is_true(error_of(model:predict{x, batch_size = 16, verbose = 0}, right) < 1e-5)
    end
  end)

  it("passes infinity and NaN on", function()
    local x, kernel = random(16, 4, 4, 128), random(1, 1, 128, 128)
    for _, special in ipairs{math.huge, 0 / 0} do
      local odd = ops.concatenate({ops.full({1, 4, 4, 128}, special), x:slice{{2, 16}}}, 1)
      local y = ops.conv_forward(odd, kernel, {1, 1}, {0, 0}, {1, 1}, {4, 4})
      assert.is_false(ops.any(ops.isfinite(y:slice{{1, 1}})):item())
      local rest = ops.conv_forward(x, kernel, {1, 1}, {0, 0}, {1, 1}, {4, 4}):slice{{2, 16}}
      assert.is_true(error_of(y:slice{{2, 16}}, wide(rest)) < 1e-5)
    end
  end)

  it("sums a kernel's gradient of bfloat16 in float32", function()
    local x = ops.cast(random(8, 2, 2, 96), "bfloat16")
    local dy = ops.cast(random(8, 2, 2, 64), "bfloat16")
    local found = ops.conv_kernel_gradient_float32(x, dy, {1, 1}, {0, 0}, {1, 1}, {1, 1, 96, 64})
    assert.are.same("float32", found.dtype)
    assert.is_true(error_of(found, faces(wide(x), wide(dy), wide(random(1, 1, 96, 64)))[3]) < 1e-5)
  end)
end)
