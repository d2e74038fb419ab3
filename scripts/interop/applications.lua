--- Known networks both ways between Cusp, Keras 3 and tf.keras 2.
--
--     cusp applications.lua FOLDER PYTHON    FOLDER is filled with files; PYTHON has a Keras
--
-- Keras builds each network with random weights and saves it; Cusp loads the weights into its own
-- network, loads the model, compares what they compute, and saves weights that Keras loads.
local cusp = require "cusp"
local folder, python = arg[1], arg[2] or "python3"
local here = arg[0]:match "^(.*)/" or "."

local small = {input_shape = {64, 64, 3}, include_top = false, pooling = "avg"}
local cases = {
  {["function"] = "MobileNet", arguments = {input_shape = {64, 64, 3}, alpha = 0.25, classes = 10}},
  {["function"] = "MobileNetV2", arguments = {input_shape = {64, 64, 3}, alpha = 0.35,
    include_top = false, pooling = "max"}},
  {["function"] = "MobileNetV3Small", arguments = {input_shape = {64, 64, 3}, alpha = 0.75,
    classes = 10}},
  {["function"] = "ResNet50", arguments = small}, {["function"] = "ResNet50V2", arguments = small},
  {["function"] = "DenseNet121", arguments = small},
  {["function"] = "EfficientNetB0", arguments = small},
  {["function"] = "EfficientNetV2B0", arguments = small},
  {["function"] = "InceptionV3", arguments = {input_shape = {75, 75, 3}, include_top = false,
    pooling = "avg"}},
  {["function"] = "InceptionResNetV2", arguments = {input_shape = {75, 75, 3},
    include_top = false, pooling = "avg"}},
  {["function"] = "Xception", arguments = {input_shape = {71, 71, 3}, include_top = false,
    pooling = "avg"}},
  {["function"] = "NASNetMobile", arguments = {include_top = false, pooling = "avg"}},
  {["function"] = "ConvNeXtTiny", arguments = small},
  {["function"] = "VGG16", arguments = {input_shape = {32, 32, 3}, include_top = false}},
}

local function run_python(command)
  local line = ("%s -P %s/applications.py %s %s"):format(python, here, command, folder)
  assert(os.execute(line), line)
end

local function pictures(model)
  local shape, count = {2}, 2
  for i = 2, 4 do
    shape[i] = model.inputs[1].shape[i]
    count = count * shape[i]
  end
  local numbers = cusp.ops.arange(0, count, 1, "int64") * 40503 % 65536
  return cusp.ops.reshape(cusp.ops.cast(numbers, "float32") / 257, shape)
end

local function error_of(found, expected)
  local ops = cusp.ops
  return ops.max(ops.abs(found - expected) / (ops.abs(expected) + 1e-3)):item()
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

local function compare(index, case)
  local path = ("%s/%d"):format(folder, index - 1)
  local arguments = {weights = path .. (exists(path .. ".h5") and ".h5" or ".weights.h5")}
  for key, value in pairs(case.arguments) do arguments[key] = value end
  local model = cusp.applications[case["function"]](arguments)
  local expected = cusp.load(path .. ".npy")
  local of_weights = error_of(model:predict{pictures(model), verbose = 0}, expected)
  local whole = path .. (exists(path .. ".h5") and ".model.h5" or ".keras")
  local loaded = cusp.models.load_model(whole, {compile = false})
  local of_model = error_of(loaded:predict{pictures(model), verbose = 0}, expected)
  print(("%-18s weights %.1e, model %.1e"):format(case["function"], of_weights, of_model))
  model:save_weights(path .. (exists(path .. ".h5") and ".cusp.h5" or ".cusp.weights.h5"))
end

os.execute("mkdir -p " .. folder)
local file <close> = assert(io.open(folder .. "/cases.json", "w"))
file:write(cusp.json.encode(cases))
file:close()
run_python "write"
for index, case in ipairs(cases) do
  local ok, message = pcall(compare, index, case)
  if not ok then print(case["function"], "FAILED", message) end
end
run_python "read"
