--- Seconds per step of `fit` for five networks under a dtype policy: `cusp networks.lua NETWORK
-- [POLICY]` prints {"seconds_per_step": [one per repeat]}. networks.py does the same in PyTorch.
local cusp = require "cusp"
local layers = cusp.layers

local random = cusp.random

local networks = {}

function networks.mlp()
  local model = cusp.Sequential{
    cusp.Input{shape = {784}}, layers.Dense{512, activation = "relu"},
    layers.Dense{512, activation = "relu"}, layers.Dense{10},
  }
  return model, random.uniform{1280, 784}, random.randint({1280}, 0, 10), 128
end

function networks.cnn()
  local model = cusp.Sequential{
    cusp.Input{shape = {28, 28, 1}}, layers.Conv2D{32, 3, activation = "relu"},
    layers.MaxPooling2D{2}, layers.Conv2D{64, 3, activation = "relu"}, layers.MaxPooling2D{2},
    layers.Flatten{}, layers.Dropout{0.5}, layers.Dense{10},
  }
  return model, random.uniform{1280, 28, 28, 1}, random.randint({1280}, 0, 10), 128
end

local function convolved(x, filters, size, strides)
  local y = layers.Conv2D{filters, size, strides = strides, padding = "same", use_bias = false}(x)
  return layers.BatchNormalization{}(y)
end

local function rectified(x) return layers.Activation{"relu"}(x) end

local function residual(x, filters, strides)
  local y = convolved(rectified(convolved(x, filters, 3, strides)), filters, 3, 1)
  if strides > 1 then x = convolved(x, filters, 1, strides) end
  return rectified(layers.Add{}{x, y})
end

function networks.resnet()
  local input = cusp.Input{shape = {32, 32, 3}}
  local x = rectified(convolved(input, 16, 3, 1))
  for stage, filters in ipairs{16, 32, 64} do
    for block = 1, 3 do x = residual(x, filters, stage > 1 and block == 1 and 2 or 1) end
  end
  local output = layers.Dense{10}(layers.GlobalAveragePooling2D{}(x))
  return cusp.Model(input, output), random.uniform{256, 32, 32, 3},
    random.randint({256}, 0, 10), 64
end

function networks.lstm()
  local model = cusp.Sequential{
    cusp.Input{shape = {80}, dtype = "int32"}, layers.Embedding{20000, 128}, layers.LSTM{128},
    layers.Dense{2},
  }
  return model, random.randint({320, 80}, 0, 20000), random.randint({320}, 0, 2), 32
end

local function transformer_block(x, width, heads)
  local h = layers.LayerNormalization{}(x)
  h = layers.MultiHeadAttention{num_heads = heads, key_dim = width // heads}(h, h,
    {use_causal_mask = true})
  x = layers.Add{}{x, h}
  h = layers.Dense{4 * width, activation = "gelu"}(layers.LayerNormalization{}(x))
  return layers.Add{}{x, layers.Dense{width}(h)}
end

function networks.transformer()
  local words, length, width = 1000, 128, 256
  local input = cusp.Input{shape = {length}, dtype = "int32"}
  local x = layers.Embedding{words, width}(input)
  for _ = 1, 4 do x = transformer_block(x, width, 4) end
  local output = layers.Dense{words}(layers.LayerNormalization{}(x))
  local data = random.randint({64, length}, 0, words)
  return cusp.Model(input, output), data, data, 16
end

local make = assert(networks[arg[1]],
  "usage: networks.lua mlp|cnn|resnet|lstm|transformer [POLICY]")
cusp.config.set_dtype_policy(arg[2] or "float32")
random.set_seed(1)
local model, x, y, batch = make()
model:compile{
  optimizer = cusp.optimizers.Adam(0.001), metrics = {"accuracy"},
  loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true},
}

local function fit() model:fit{x, y, batch_size = batch, epochs = 1, verbose = 0} end

fit()
fit()
local samples = {}
for repeat_index = 1, 5 do
  local start = cusp.time()
  fit()
  samples[repeat_index] = (cusp.time() - start) / math.ceil(x.shape[1] / batch)
end
print(cusp.json.encode{seconds_per_step = samples})
