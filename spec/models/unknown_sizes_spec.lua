--- What is built on unknown sizes is tried with large ones, for the shapes alone: nothing of these
-- sizes is computed, not even constants.
local cusp = require "cusp"
local engine = require "cusp.engine"
local layers, ops = cusp.layers, cusp.ops

-- The nodes that a function makes the engine compute, and the bytes that it needs meanwhile.
local function cost_of(f)
  collectgarbage()
  collectgarbage()
  engine.memory_reset_peak()
  local before, bytes = engine.stats().nodes_evaluated, engine.memory().live
  local result = f()
  return engine.stats().nodes_evaluated - before, engine.memory().peak - bytes, result
end

describe("unknown sizes", function()
  local x = cusp.Input{cusp.None, 8}
  local constructions = {
    ["a causal mask"] = function() return layers.MultiHeadAttention{2, 4}(x, x, {
      use_causal_mask = true,
    }) end,
    ["large constants"] = function()
      return layers.Lambda(function(t)
        local square = ops.tril(ops.ones{t.shape[2], t.shape[2]}, -1)
        return ops.matmul(ops.sort(ops.cumsum(square, 1)), t)
      end)(x)
    end,
    ["constants that no memory could hold"] = function()
      return layers.Lambda(function(t)
        local places = ops.arange(t.shape[2])
        local mask = (ops.expand_dims(places, 2) >= places):cast("float32")
        return ops.matmul(ops.tile(mask:reshape{1, t.shape[2], t.shape[2]}, {t.shape[1], 1, 1}), t)
      end)(x)
    end,
    ["draws of random numbers"] = function()
      return layers.Lambda(function(t)
        local noise = cusp.random.normal{t.shape[2], t.shape[2]}
        return ops.matmul(ops.softmax(noise) + ops.softmax(-noise), t)
      end)(x)
    end,
    ["a class within a class"] = function()
      local Outer = layers.Layer:extend("OuterOfUnknownSizes", {
        call = function(self, t)
          self.inner = self.inner or layers.Lambda(function(u)
            return ops.matmul(ops.tri(u.shape[2]) * 2, u)
          end)
          return self.inner(t)
        end,
      })
      return Outer{}(x)
    end,
  }
  for title, construct in pairs(constructions) do
    it("of " .. title .. " cost nothing of that size", function()
      local nodes, bytes, output = cost_of(construct)
      assert.is_true(bytes < 4 << 20, bytes)
      assert.is_true(nodes < 40, nodes)
      assert.same({cusp.None, cusp.None, 8}, {table.unpack(output.shape)})
      -- nor do the leftovers of the trial, when much else is made
      nodes = cost_of(function()
        local sum = cusp.zeros{2}
        for _ = 1, 3000 do sum = sum + 1 end
        return sum:sum():item()
      end)
      assert.is_true(nodes < 3100, nodes)
    end)
  end

  it("leave a constant that is kept to be computed when it is asked for", function()
    local kept
    layers.Lambda(function(t)
      kept = kept or ops.arange(t.shape[2])
      return t
    end)(x)
    assert.equal(kept.shape[1] - 1, kept:max():item())
  end)
end)
