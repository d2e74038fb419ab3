--- The way back through a clipped relu, compiled (with one mask) and eagerly, at and beside its
-- corners.
local cusp = require "cusp"

local ops = cusp.ops

local places = {-math.huge, -1, -0.0, 0, 1e-30, 3, 6 - 5e-7, 6, 6 + 5e-7, 7, math.huge, 0 / 0}

local function gradient_of(f)
  return function(x, cotangents)
    local tape <close> = cusp.GradientTape()
    tape:watch(x)
    return tape:gradient(ops.sum(f(x + 0) * cotangents), x)
  end
end

describe("one mask for a clipped relu", function()
  local x = cusp.tensor(places, {dtype = "float32"})
  local cotangents = cusp.random.normal({#places}, {seed = 1})
  local functions = {
    relu6 = ops.relu6,
    ["relu with max_value"] = function(t) return cusp.activations.relu(t, {max_value = 6}) end,
    ["relu with max_value 0"] = function(t) return cusp.activations.relu(t, {max_value = 0}) end,
    ["clip of a relu"] = function(t) return ops.clip(ops.relu(t), 1, 6) end,
  }
  for name, f in pairs(functions) do
    it("gives the gradient that eager code has: " .. name, function()
      local eager, compiled = gradient_of(f)(x, cotangents), cusp.compile(gradient_of(f))(x,
        cotangents)
      assert.are.same(eager:tolist(), compiled:tolist())
    end)
  end
end)
