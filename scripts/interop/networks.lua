-- What models.lua and checkpoint.lua both exchange: models of 8 inputs and 4 outputs, and data.
local cusp = require "cusp"
local layers = cusp.layers

local networks = {}

-- One hidden layer, with a name for the input or none.
function networks.dense(name)
  local x = cusp.Input{shape = {8}, name = name}
  local h = layers.Dense{16, activation = "relu"}(x)
  return cusp.Model{inputs = x, outputs = layers.Dense(4)(h)}
end

-- A model in a model, which ends in the given layer.
function networks.nested(normalization)
  local x = cusp.Input{shape = {8}}
  local inner = cusp.Sequential{cusp.Input{shape = {8}}, layers.Dense{5, activation = "tanh"},
    normalization}
  return cusp.Model{inputs = x, outputs = layers.Dense(4)(layers.Concatenate(){inner(x), x})}
end

function networks.recurrent()
  local x = cusp.Input{shape = {8}}
  local h = layers.Reshape{4, 2}(x)
  h = layers.Bidirectional(layers.LSTM(3, {return_sequences = true}))(h)
  h = layers.TimeDistributed(layers.Dense(4))(h)
  return cusp.Model{inputs = x, outputs = layers.Dense(4)(layers.GRU(5)(h))}
end

function networks.attention()
  local x = cusp.Input{shape = {8}}
  local h = layers.Reshape{4, 2}(x)
  h = layers.MultiHeadAttention(2, 3)(h, h)
  return cusp.Model{inputs = x, outputs = layers.Dense(4)(layers.GlobalAveragePooling1D()(h))}
end

-- 64 samples of the same numbers each time.
function networks.data()
  local x, y = {}, {}
  for i = 1, 64 do
    x[i], y[i] = {}, {}
    for j = 1, 8 do x[i][j] = math.sin(i * 0.7 + j * 1.3) end
    for j = 1, 4 do y[i][j] = math.cos(i * 0.3 + j) end
  end
  return cusp.tensor(x, {dtype = "float32"}), cusp.tensor(y, {dtype = "float32"})
end

return networks
