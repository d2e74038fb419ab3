local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops

local function difference(a, b) return ops.max(ops.abs(a - b)):item() end


local function gradients(layer, x, mask)
  local tape <close> = cusp.GradientTape{persistent = true}
  tape:watch(x)
  local outputs = layer(x, {mask = mask})
  local loss = ops.sum(outputs[1] * outputs[1]) + ops.sum(outputs[2])
  return outputs, tape:gradient(loss, {x, table.unpack(layer.weights)})
end

describe("a whole sequence as one operation", function()
  for _, name in ipairs{"GRU", "LSTM"} do
    for _, flag in ipairs{"", "go_backwards", "use_bias", "zero_output_for_mask"} do
      it(("is what %s computes step by step %s"):format(name, flag), function()
        local function settings(unroll)
          local result = {units = 6, return_sequences = true, return_state = true,
            unroll = unroll == "unroll"}
          if flag ~= "" then result[flag] = flag ~= "use_bias" end
          return result
        end
        local x, some = cusp.random.normal{3, 7, 4}, cusp.random.uniform{3, 7}:greater(0.3)
        local whole, steps = layers[name](settings ""), layers[name](settings "unroll")
        whole(x)
        steps(x)
        steps:set_weights(whole:get_weights())
        for _, mask in ipairs{false, some} do
          local a, gradients_a = gradients(whole, x, mask or nil)
          local b, gradients_b = gradients(steps, x, mask or nil)
          for i = 1, #a do assert.is_true(difference(a[i], b[i]) < 1e-5) end
          for i = 1, #gradients_a do
            assert.is_true(difference(gradients_a[i], gradients_b[i]) < 1e-4)
          end
        end
      end)
    end
  end

  it("makes an empty table of keywords mean none", function()
    local gru, x = layers.GRU(2), cusp.ones{1, 3, 2}
    assert.are.same(gru(x):tolist(), gru(x, {}):tolist())
  end)
end)
