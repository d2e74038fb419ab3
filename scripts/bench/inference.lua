--- Inference with random weights of a network of cusp.applications, on images of SIZE x SIZE, or of
-- the "transformer" on SIZE words: `cusp inference.lua NETWORK SIZE BATCH [FILE]` prints
-- {"seconds_per_step": [of predict], "eager_seconds": [of model(x)], "work":, "traffic":}. With
-- FILE it writes the network as ONNX there first, for inference.py, unless the file exists.
local cusp = require "cusp"

local network, size, batch = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3])
local scripts = arg[0]:match "^(.*/)" or "./"
local work = dofile(scripts .. "work.lua")

local function make()
  if network == "transformer" then
    local model, words = dofile(scripts .. "causal_transformer.lua")(size, 256, "gelu")
    return model, words:slice{{1, batch}}
  end
  local model = cusp.applications[network]{weights = cusp.null, input_shape = {size, size, 3}}
  return model, cusp.random.uniform{batch, size, size, 3}
end

cusp.random.set_seed(1)
local model, x = make()

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

if arg[4] and not exists(arg[4]) then cusp.onnx.export(model, arg[4]) end

local function predict() return model:predict{x, batch_size = batch, verbose = 0} end

local function call()
  local y = model(x, {training = false})
  return cusp.ops.reshape(y, {-1}):slice{1}:item()
end

--- Seconds of one call, eleven times, each the mean of as many as take 20 ms.
local function measure(f)
  for _ = 1, 3 do f() end
  local start = cusp.time()
  f()
  local count = math.max(math.ceil(0.02 / (cusp.time() - start)), 1)
  local samples = {}
  for sample = 1, 11 do
    start = cusp.time()
    for _ = 1, count do f() end
    samples[sample] = (cusp.time() - start) / count
  end
  return samples
end

local least = work.of_step(model, {x = x, batch_size = batch, method = "predict"}, 4)
print(cusp.json.encode{seconds_per_step = measure(predict), eager_seconds = measure(call),
  work = least.work, traffic = least.traffic, dtype = "float32"})
