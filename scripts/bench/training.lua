--- Seconds per step of `fit` for a stack of Dense layers: `cusp training.lua PROBLEM` prints
-- {"seconds_per_step": [one per repeat]}.
local cusp = require "cusp"
local layers = cusp.layers

local problems = {
  tutorial = {samples = 1000, batch = 32, epochs = 40, repeats = 9, sizes = {72, 32, 16, 10}},
  mlp = {samples = 6400, batch = 128, epochs = 2, repeats = 9, sizes = {784, 512, 512, 10},
    sparse = true},
}

local problem = assert(problems[arg[1]], "usage: training.lua tutorial|mlp")
local sizes = problem.sizes
cusp.random.set_seed(1)
local x = cusp.random.uniform{problem.samples, sizes[1]}
local y
if problem.sparse then
  y = cusp.random.randint({problem.samples}, 0, sizes[#sizes])
else
  y = cusp.random.uniform{problem.samples, sizes[#sizes]}
end

local model = cusp.Sequential{cusp.Input{shape = {sizes[1]}}}
for i = 2, #sizes do
  model:add(layers.Dense{sizes[i], activation = i == #sizes and "softmax" or "relu"})
end
model:compile{
  optimizer = cusp.optimizers.Adam(0.001),
  loss = problem.sparse and "sparse_categorical_crossentropy" or "categorical_crossentropy",
  metrics = {"accuracy"},
}

local function fit(epochs)
  model:fit{x, y, batch_size = problem.batch, epochs = epochs, verbose = 0}
end

fit(2)
local steps = problem.epochs * math.ceil(problem.samples / problem.batch)
local samples = {}
for repeat_index = 1, problem.repeats do
  local start = cusp.time()
  fit(problem.epochs)
  samples[repeat_index] = (cusp.time() - start) / steps
end
print(cusp.json.encode{seconds_per_step = samples})
