-- Writes every layer, and models of several, as ONNX files with inputs and predictions beside them,
-- and reads each file back; for onnx.py. Arguments: a folder, and optionally a pattern of names.
package.path = "./?.lua;" .. package.path
local cusp = require "cusp"
local rows = require "spec.support.layer_rows"
local structure = require "cusp.base.structure"
local layers, ops = cusp.layers, cusp.ops
local folder, pattern = arg[1], arg[2] or "."

---------------------------------------------------------------- models

local function input(shape, dtype)
  local rest = {table.unpack(shape, 2)}
  return cusp.Input{shape = rest, dtype = dtype}
end

local function inputs_of_row(row)
  local shape = row[3]
  if type(shape[1]) ~= "table" then return input(shape, row.input_dtype) end
  local inputs = {}
  for i, one in ipairs(shape) do inputs[i] = input(one, row.input_dtype) end
  return inputs
end

local function model_of_row(row)
  local arguments = {}
  for key, value in pairs(row[2]) do arguments[key] = value end
  local layer, inputs = layers[row[1]](arguments), inputs_of_row(row)
  if row.several then return cusp.Model{inputs, layer(table.unpack(inputs))} end
  return cusp.Model{inputs, layer(inputs)}
end

local None = cusp.None

local whole = {
  digits = function()
    return cusp.Sequential{cusp.Input{shape = {16, 16, 1}},
      layers.Conv2D{4, 3, activation = "relu"},
      layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten(),
      layers.Dense{10, activation = "softmax"}}
  end,
  any_picture = function()
    return cusp.Sequential{cusp.Input{shape = {None, None, 3}},
      layers.Conv2D{4, 3, padding = "same"},
      layers.MaxPooling2D(), layers.Conv2D{4, 3, strides = 2, padding = "same", activation = "elu"},
      layers.GlobalAveragePooling2D(), layers.Dense{2}}
  end,
  masked_text = function()
    return cusp.Sequential{cusp.Input{shape = {None}, dtype = "int32"},
      layers.Embedding{10, 6, mask_zero = true}, layers.LSTM{4, return_sequences = true},
      layers.Bidirectional{layers.GRU{3, return_sequences = true}},
      layers.GlobalAveragePooling1D(), layers.Dense{3, activation = "softmax"}}
  end,
  transformer = function()
    local text = cusp.Input{shape = {None}, dtype = "int32"}
    local x = layers.Embedding{10, 8}(text)
    local attended = layers.MultiHeadAttention{2, 4}(x, x, {use_causal_mask = true})
    x = layers.LayerNormalization()(layers.Add(){x, attended})
    local inner = layers.Dense{8}(layers.Dense{16, activation = "gelu"}(x))
    return cusp.Model{text, layers.LayerNormalization()(layers.Add(){x, inner})}
  end,
  network = function()
    return cusp.applications.MobileNetV2{input_shape = {32, 32, 3}, alpha = 0.35,
      weights = cusp.null, classes = 4}
  end,
}

for _, name in ipairs{"elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "sigmoid",
  "hard_sigmoid", "relu6", "mish", "leaky_relu", "exponential", "log_softmax", "hard_silu", "celu",
  "glu", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "log_sigmoid",
  "sparsemax", "sparse_sigmoid", "hard_tanh"} do
  whole["activation_" .. name] = function()
    return cusp.Sequential{cusp.Input{shape = {6}}, layers.Activation{name}}
  end
end

---------------------------------------------------------------- files

local function sample(tensor)
  local shape = {3}
  for i, size in ipairs(tensor.shape) do
    if i > 1 then shape[i] = size == None and 13 or size end
  end
  if tensor.dtype:find "int" then
    return cusp.random.randint(shape, 0, 3, {dtype = tensor.dtype})
  end
  return cusp.random.normal(shape)
end

local function difference(a, b)
  if #a:flat() == 0 then return 0 end
  return ops.max(ops.abs(ops.subtract(ops.cast(a, "float64"), ops.cast(b, "float64")))):item()
end

local function write(name, build)
  local model = build()
  local path, inputs = folder .. "/" .. name, {}
  for i, tensor in ipairs(model.inputs) do
    inputs[i] = sample(tensor)
    cusp.save(("%s.in%d.npy"):format(path, i), inputs[i])
  end
  local given = #inputs == 1 and inputs[1] or inputs
  local outputs = structure.flatten(model:predict{given, verbose = 0})
  for i, tensor in ipairs(outputs) do cusp.save(("%s.out%d.npy"):format(path, i), tensor) end
  cusp.onnx.export(model, path .. ".onnx", {opset = 18})
  local back = cusp.onnx.load(path .. ".onnx")
  local again, worst = structure.flatten(back:predict{given, verbose = 0}), 0
  for i, tensor in ipairs(outputs) do worst = math.max(worst, difference(tensor, again[i])) end
  return worst
end

local function attempt(name, build)
  if not name:find(pattern) then return end
  cusp.random.set_seed(1)
  local ok, result = pcall(write, name, build)
  print(cusp.json.encode{name = name, back = ok and result or nil,
    error = not ok and tostring(result):gsub("^[^:]*:%d+: ", "") or nil})
  collectgarbage()
end

for i, row in ipairs(rows) do
  attempt(("%03d_%s"):format(i, row[1]), function() return model_of_row(row) end)
end
local names = {}
for name in pairs(whole) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do attempt(name, whole[name]) end
