--- Seconds per step of `fit` for seven networks under a dtype policy: `cusp networks.lua NETWORK
-- [POLICY]` prints {"seconds_per_step": [one per repeat], "peak_bytes": [most in use], "work":,
-- "traffic":, "dtype":}.
-- networks.py does the same in PyTorch, networks_keras.py in Keras.
local cusp = require "cusp"
local layers = cusp.layers

local folder = arg[0]:match "^(.*/)" or "./"
local work, process = dofile(folder .. "work.lua"), dofile(folder .. "process.lua")
local ops, random = cusp.ops, cusp.random

local causal_transformer = dofile(folder .. "causal_transformer.lua")
local small_networks = dofile(folder .. "small_networks.lua")

local networks = {}

function networks.mlp() return small_networks.mlp(1280) end

function networks.cnn() return small_networks.cnn(1280, 0.5) end

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

function networks.mobilenet()
  local model = cusp.applications.MobileNetV2{input_shape = {64, 64, 3}, weights = cusp.null,
    classes = 10, classifier_activation = cusp.null}
  return model, random.uniform{64, 64, 64, 3}, random.randint({64}, 0, 10), 8
end

function networks.lstm()
  local model = cusp.Sequential{
    cusp.Input{shape = {80}, dtype = "int32"}, layers.Embedding{20000, 128}, layers.LSTM{128},
    layers.Dense{2},
  }
  return model, random.randint({320, 80}, 0, 20000), random.randint({320}, 0, 2), 32
end

function networks.transformer() return causal_transformer(128, 256, "gelu") end

---------------------------------------------------------------- graph attention

-- One head of attention along the edges of a graph.
local GraphAttention = cusp.Layer:extend("GraphAttention", {
  config = {{"units", "integer"}},
  build = function(self, shapes)
    self.kernel = self:add_weight{name = "kernel", shape = {shapes[1][2], self.units},
      initializer = "glorot_uniform"}
    self.attention = self:add_weight{name = "attention", shape = {2 * self.units, 1},
      initializer = "glorot_uniform"}
  end,
  call = function(self, inputs)
    local nodes, edges = ops.matmul(inputs[1], self.kernel), inputs[2]
    local targets, sources = edges:slice{{}, 1}, edges:slice{{}, 2}
    local from = ops.take(nodes, sources, {axis = 1})
    local both = ops.concatenate({ops.take(nodes, targets, {axis = 1}), from}, {axis = -1})
    local scores = ops.leaky_relu(ops.squeeze(ops.matmul(both, self.attention), {axis = -1}))
    scores = ops.exp(ops.clip(scores, -2, 2))
    local count = nodes.shape[1]
    local sums = ops.segment_sum(scores, targets, {num_segments = count})
    local weights = scores / ops.take(sums, targets)
    return ops.segment_sum(from * ops.expand_dims(weights, -1), targets, {num_segments = count})
  end,
})

-- The graph is the batch: all its nodes are seen in each step.
function networks.graph()
  local nodes, edges, features, units, heads = 512, 4096, 64, 16, 8
  local links = random.randint({edges, 2}, 0, nodes)
  local Network = cusp.Model:extend("Network", {
    init = function(self)
      self.first, self.last = layers.Dense{heads * units, activation = "relu"}, layers.Dense{7}
      self.stages = {}
      for stage = 1, 2 do
        self.stages[stage] = {}
        for head = 1, heads do self.stages[stage][head] = GraphAttention{units} end
      end
    end,
    call = function(self, x)
      x = self.first(x)
      for _, attentions in ipairs(self.stages) do
        local outputs = {}
        for head, attention in ipairs(attentions) do outputs[head] = attention{x, links} end
        x = ops.relu(ops.concatenate(outputs, {axis = -1}) + x)
      end
      return self.last(x)
    end,
  })
  return Network(), random.uniform{nodes, features}, random.randint({nodes}, 0, 7), nodes
end

---------------------------------------------------------------- measuring

local make = assert(networks[arg[1]],
  "usage: networks.lua mlp|cnn|resnet|mobilenet|lstm|transformer|graph [POLICY]")
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
local peak_bytes = process.peak_bytes() -- of the steps: profiling has its own
local least = work.of_step(model, {x = x, y = y, batch_size = batch})
print(cusp.json.encode{seconds_per_step = samples, peak_bytes = {peak_bytes},
  work = least.work, traffic = least.traffic,
  dtype = arg[2] == "mixed_bfloat16" and "bfloat16" or "float32"})
