--- Seconds per step of training a stack of Dense layers: `cusp training.lua PROBLEM [MODE]` prints
-- {"seconds_per_step": [one per repeat], "work":, "traffic":}. MODE: fit, hook (a function after
-- each batch), train_on_batch.
local cusp = require "cusp"
local layers = cusp.layers
local work = dofile((arg[0]:match "^(.*/)" or "./") .. "work.lua")

local problems = {
  tutorial = {samples = 1000, batch = 32, epochs = 40, repeats = 9, sizes = {72, 32, 16, 10}},
  mlp = {samples = 6400, batch = 128, epochs = 2, repeats = 9, sizes = {784, 512, 512, 10},
    sparse = true},
}

local usage = "usage: training.lua tutorial|mlp [fit|hook|train_on_batch]"
local problem = assert(problems[arg[1]], usage)
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

local modes = {}

function modes.fit(epochs)
  model:fit{x, y, batch_size = problem.batch, epochs = epochs, verbose = 0}
end

local last
local hook = {on_train_batch_end = function(_, _, logs) last = logs.loss end}

function modes.hook(epochs)
  model:fit{x, y, batch_size = problem.batch, epochs = epochs, verbose = 0, callbacks = {hook}}
end

function modes.train_on_batch(epochs)
  for _ = 1, epochs do
    for first = 1, problem.samples, problem.batch do
      local rows = {first, math.min(first + problem.batch - 1, problem.samples)}
      last = model:train_on_batch(x:slice{rows}, y:slice{rows})
    end
  end
end

local train = assert(modes[arg[2] or "fit"], usage)
train(2)
local steps = problem.epochs * math.ceil(problem.samples / problem.batch)
local samples = {}
for repeat_index = 1, problem.repeats do
  local start = cusp.time()
  train(problem.epochs)
  samples[repeat_index] = (cusp.time() - start) / steps
end
local least = work.of_step(model, {x = x, y = y, batch_size = problem.batch})
print(cusp.json.encode{seconds_per_step = samples, work = least.work, traffic = least.traffic,
  last = last})
