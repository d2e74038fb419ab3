-- Steps that free memory run as soon as they can.
local cusp = require "cusp"
local ops = cusp.ops

local function arena_of(compiled)
  return tonumber(tostring(compiled):match "arena of (%d+) bytes")
end

describe("the order of steps", function()
  it("keeps each activation until its kernel's gradient, and no cotangent longer", function()
    local depth, rows, width = 12, 256, 64
    local kernels = {}
    for i = 1, depth do
      kernels[i] = cusp.Variable(cusp.random.normal({width, width}, {seed = i}) * 0.1)
    end
    local step = cusp.compile(function(x)
      local tape <close> = cusp.GradientTape()
      for _, kernel in ipairs(kernels) do x = ops.tanh(ops.matmul(x, kernel)) end
      local loss = ops.sum(x)
      for i, gradient in ipairs(tape:gradient(loss, kernels)) do
        kernels[i]:assign(kernels[i] - 0.01 * gradient)
      end
      return loss
    end)
    step(cusp.ones{rows, width})
    local activation = rows * width * 4
    local most = (depth + 4) * activation
    assert.is_true(arena_of(step) < most, ("%d of %d bytes"):format(arena_of(step), most))
  end)
end)
