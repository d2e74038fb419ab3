--- Saving and loading 100 MB: `cusp files_cusp.lua FORMAT FOLDER` prints {"save": [seconds, ...],
-- "load": [...]}.
local cusp = require "cusp"

local format, folder = arg[1], arg[2]
local repeats, units, depth = 3, 2048, 6

local function make_model()
  local model = cusp.Sequential{cusp.Input{shape = {units}}}
  for _ = 1, depth do model:add(cusp.layers.Dense{units}) end
  return model
end

local function tensors()
  local result = {}
  for i = 1, depth do
    result["kernel_" .. i] = cusp.random.uniform{units, units}
    result["bias_" .. i] = cusp.zeros{units}
  end
  require("cusp.engine").evaluate((function(list)
    for _, tensor in pairs(result) do list[#list + 1] = tensor end
    return list
  end){})
  return result
end

local function weights(name, options)
  return {
    name = name,
    save = function(model, path) model:save_weights(path, options) end,
    load = function(path, model) model:load_weights(path) end,
  }
end

local function model_file(name)
  return {
    name = name,
    save = function(model, path) model:save(path) end,
    load = function(path) cusp.models.load_model(path) end,
  }
end

local function values(name)
  return {name = name, make = tensors, save = function(value, path)
    cusp.save(path, value)
  end, load = function(path) cusp.load(path) end}
end

local formats = {
  checkpoint = weights("weights", {save_format = "tf"}),
  tf2_weights = weights("weights.h5", {save_format = "h5"}),
  keras3_weights = weights "model.weights.h5",
  model_h5 = model_file "model.h5",
  model_keras = model_file "model.keras",
  h5 = values "tensors.h5",
  npz = values "tensors.npz",
}

local kind = assert(formats[format], "unknown format")
local value, path = (kind.make or make_model)(), folder .. "/" .. kind.name

local function time(f, ...)
  collectgarbage()
  local start = cusp.time()
  f(...)
  return cusp.time() - start
end

local result = {save = {}, load = {}}
for i = 0, repeats do
  result.save[i] = time(kind.save, value, path)
  result.load[i] = time(kind.load, path, value)
end
result.save[0], result.load[0] = nil, nil
print(cusp.json.encode(result))
