--- Seconds per step of `fit` for one network, of as many processes as it is started with:
-- `mpirun -n 2 cusp distributed_step.lua mlp|cnn|deep|transformer [EPOCHS]` prints the least of
-- some epochs, and the bytes of the gradients.
-- distributed_step.py does the same in PyTorch.
local cusp = require "cusp"
local distribution, layers, random = cusp.distribution, cusp.layers, cusp.random

local folder = arg[0]:match "^(.*/)" or "./"
local causal_transformer = dofile(folder .. "causal_transformer.lua")
local small_networks = dofile(folder .. "small_networks.lua")

local networks = {}

function networks.mlp() return small_networks.mlp(2560) end

function networks.cnn() return small_networks.cnn(1280) end

-- Of many layers of one size, whose gradients come one after another.
function networks.deep()
  local list = {cusp.Input{shape = {512}}}
  for i = 1, 8 do list[i + 1] = layers.Dense{512, activation = "relu"} end
  list[10] = layers.Dense{10}
  return cusp.Sequential(list), random.uniform{5120, 512}, random.randint({5120}, 0, 10), 256
end

function networks.transformer() return causal_transformer(64, 128, "relu") end

local make = assert(networks[arg[1]], "usage: distributed_step.lua mlp|cnn|deep|transformer")
distribution.set_distribution(distribution.DataParallel())
random.set_seed(1)
local model, x, y, batch_size = make()
model:compile{optimizer = cusp.optimizers.Adam(0.001),
  loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true}}

local least
for _ = 1, tonumber(arg[2] or 8) do
  local start = cusp.time()
  model:fit{x, y, batch_size = batch_size, verbose = 0}
  local seconds = (cusp.time() - start) / (#x // batch_size)
  least = math.min(least or seconds, seconds)
end
if distribution.process_id() == 0 then
  print(("%.6f %d"):format(least, 4 * model:count_params()))
end
