--- The causal transformer that several benchmarks train: four blocks with four heads.
local cusp = require "cusp"
local layers = cusp.layers

local function block(x, width, activation)
  local h = layers.LayerNormalization{}(x)
  h = layers.MultiHeadAttention{num_heads = 4, key_dim = width // 4}(h, h, {use_causal_mask = true})
  x = layers.Add{}{x, h}
  h = layers.Dense{4 * width, activation = activation}(layers.LayerNormalization{}(x))
  return layers.Add{}{x, layers.Dense{width}(h)}
end

--- The model, its inputs, its targets, and the size of a batch.
return function(length, width, activation)
  local words = 1000
  local input = cusp.Input{shape = {length}, dtype = "int32"}
  local x = layers.Embedding{words, width}(input)
  for _ = 1, 4 do x = block(x, width, activation) end
  local output = layers.Dense{words}(layers.LayerNormalization{}(x))
  local data = cusp.random.randint({64, length}, 0, words)
  return cusp.Model(input, output), data, data, 16
end
