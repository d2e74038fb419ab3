--- Gradients of kernels whose windows are longer than the image, at strides: against float64.
local cusp = require "cusp"

local ops = cusp.ops

-- Takes up memory that the next operation may find as it was left.
local function soil()
  local numbers <close> = ops.full({300000}, 1e30) + 0
  numbers:item(1)
end

describe("the gradient of a kernel that is longer than the image", function()
  for _, case in ipairs{{1, 1, 1, 3}, {2, 1, 3, 3}, {3, 1, 1, 5}, {3, 1, 5, 5}, {1, 3, 3, 5}} do
    it("is right at strides: " .. table.concat(case, " "), function()
      local height, width, k_height, k_width = table.unpack(case)
      local x = cusp.random.normal({8, height, width, 16}, {seed = 1})
      local dy = cusp.random.normal({8, (height + 1) // 2, (width + 1) // 2, 64}, {seed = 2})
      local low = {math.max(k_height - 2 + height % 2, 0) // 2, math.max(k_width - 2 + width % 2, 0)
        // 2}
      local function gradient(dtype)
        return ops.cast(ops.conv_kernel_gradient(ops.cast(ops.cast(x, "bfloat16"), dtype),
          ops.cast(ops.cast(dy, "bfloat16"), dtype), {2, 2}, low, {1, 1},
          {k_height, k_width, 16, 64}), "float64")
      end
      local right = gradient "float64"
      for _, dtype in ipairs{"bfloat16", "float32", "bfloat16"} do
        soil()
        assert.is_true(ops.max(ops.abs(gradient(dtype) - right)):item() < 0.2, dtype)
      end
    end)
  end
end)
