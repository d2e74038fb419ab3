--- Seconds per prediction of a batch of the causal transformer: `cusp quantized.lua [MODE]`, with
-- weights of float32 or of a mode of quantization, prints {"seconds_per_step": [one per repeat]}.
local cusp = require "cusp"

local causal_transformer = dofile((arg[0]:match "^(.*/)" or "./") .. "causal_transformer.lua")

cusp.random.set_seed(1)
local model, words, _, batch = causal_transformer(128, 256, "gelu")
if arg[1] then require("cusp.base.warnings").collect(model.quantize, model, arg[1]) end

local function predict() model:predict{words, batch_size = batch, verbose = 0} end

predict()
local samples = {}
for repeat_index = 1, 5 do
  local start = cusp.time()
  predict()
  samples[repeat_index] = (cusp.time() - start) / (words.shape[1] // batch)
end
print(cusp.json.encode{seconds_per_step = samples})
