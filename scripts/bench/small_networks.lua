-- Networks that several rows train; each function gives the model and a batch's size, and data of
-- `samples` samples: model, x, y, batch_size.
local cusp = require "cusp"
local layers, random = cusp.layers, cusp.random

local networks = {}

local function labels(samples) return random.randint({samples}, 0, 10) end

-- 784-512-512-10.
function networks.mlp(samples)
  local model = cusp.Sequential{
    cusp.Input{shape = {784}}, layers.Dense{512, activation = "relu"},
    layers.Dense{512, activation = "relu"}, layers.Dense{10},
  }
  return model, random.uniform{samples, 784}, labels(samples), 128
end

-- Convolutions of 32 and 64 filters for MNIST.
function networks.cnn(samples, dropout)
  local model = cusp.Sequential{
    cusp.Input{shape = {28, 28, 1}}, layers.Conv2D{32, 3, activation = "relu"},
    layers.MaxPooling2D{2}, layers.Conv2D{64, 3, activation = "relu"}, layers.MaxPooling2D{2},
    layers.Flatten{},
  }
  if dropout then model:add(layers.Dropout{dropout}) end
  model:add(layers.Dense{10})
  return model, random.uniform{samples, 28, 28, 1}, labels(samples), 128
end

return networks
