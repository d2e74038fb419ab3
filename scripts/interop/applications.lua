--- The other half of applications.py: a known network of Cusp's with the weights that Keras saved,
-- and the whole model as Keras saved it.
--
--     cusp applications.lua PATH CASE    PATH without its endings; CASE is JSON; prints how far
--                                        its results are from those of Keras
local cusp = require "cusp"
local ops = cusp.ops

local path, case = arg[1], cusp.json.decode(arg[2])

local function exists(name)
  local file <close> = io.open(name)
  return file ~= nil
end

local function pictures(model)
  local shape, count = {2}, 2
  for i = 2, 4 do
    shape[i] = model.inputs[1].shape[i]
    count = count * shape[i]
  end
  local numbers = ops.arange(0, count, 1, "int64") * 40503 % 65536
  return ops.reshape(ops.cast(numbers, "float32") / 257, shape)
end

local expected = cusp.load(path .. ".npy")

local function difference(model)
  local found = model:predict{pictures(model), verbose = 0}
  return (ops.max(ops.abs(found - expected)) / ops.max(ops.abs(expected))):item()
end

local is_tf = exists(path .. ".h5")
local arguments = {weights = path .. (is_tf and ".h5" or ".weights.h5")}
for key, value in pairs(case.arguments) do arguments[key] = value end
local model = cusp.applications[case["function"]](arguments)
local loaded = cusp.models.load_model(path .. (is_tf and ".model.h5" or ".keras"),
  {compile = false})
print(("weights %.1e model %.1e"):format(difference(model), difference(loaded)))
model:save_weights(path .. (is_tf and ".cusp.h5" or ".cusp.weights.h5"))
