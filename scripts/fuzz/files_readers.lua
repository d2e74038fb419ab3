--- The file readers to test, each with valid files to start from.
-- @module files_readers
local cusp = require "cusp"
local engine = require "cusp.engine"
local mutate = require "spec.support.mutate"
local warnings = require "cusp.base.warnings"

local readers = {}

local function quietly(f, ...)
  local arguments = table.pack(...)
  return select(2, warnings.collect(function()
    return f(table.unpack(arguments, 1, arguments.n))
  end))
end

local function load_model(path)
  local model = quietly(cusp.models.load_model, path)
  for _, weight in ipairs(model.weights) do weight.value:tobytes() end
end

local function new_model()
  local model = cusp.Sequential{cusp.Input{shape = {3}, name = "x"},
    cusp.layers.Dense{4, name = "a"}, cusp.layers.Dense{
    2, name = "b"}}
  model:compile{optimizer = "adam", loss = "mse"}
  model.optimizer:ensure_built(model.trainable_variables)
  return model
end

local function load_weights(path)
  local model = new_model()
  local before = model.weights[1].value:tobytes()
  local ok, message = pcall(quietly, model.load_weights, model, path)
  if ok then return end
  if model.weights[1].value:tobytes() ~= before then
    error("a weight was changed by a load that failed: " .. tostring(message), 0)
  end
  error(message, 0)
end

local function load_checkpoint(path) load_weights((path:gsub("%.[^./]*$", ""))) end

-- Elements of a dataset, up to the number that a small file can hold.
local function run_dataset(dataset)
  local count = 0
  for _ in dataset:iterate() do
    count = count + 1
    if count == 5000 then error("a small file has 5000 elements", 0) end
  end
end

local function read_records(path)
  for record in cusp.tfrecord.records(path) do pcall(cusp.tfrecord.decode_example, record) end
end

local function saved(folder, name, save)
  local path = folder .. "/" .. name
  save(path)
  return path
end

local function idx_bytes()
  return "\0\0\8\3" .. (">I4I4I4"):pack(3, 4, 5) .. ("\7"):rep(60)
end

local function written(folder, name, bytes)
  return saved(folder, name, function(path) mutate.write(path, bytes) end)
end

local function text_of(f) return function(path) return f(mutate.read(path)) end end

local function checkpoint_files(folder)
  new_model():save_weights(folder .. "/checkpoint")
  return {folder .. "/checkpoint.index", folder .. "/checkpoint.data-00000-of-00001"}
end

local function save_records(path)
  local writer <close> = cusp.tfrecord.writer(path)
  for i = 1, 4 do writer:write(cusp.tfrecord.encode_example{x = {1.5, i}, name = "row" .. i}) end
end

-- Reads a model, and runs it where its inputs are small.
local function load_onnx(path)
  local model = quietly(cusp.onnx.load, path)
  local inputs = {}
  for i, input in ipairs(model.inputs) do
    local shape, size = {}, 1
    for axis, each in ipairs(input.shape) do
      shape[axis] = each == cusp.None and 3 or each
      size = size * math.min(shape[axis], 100000)
    end
    if size > 100000 then return end
    inputs[i] = cusp.ones(shape, {dtype = input.dtype})
  end
  local outputs = quietly(model, #inputs == 1 and inputs[1] or inputs)
  if engine.is_tensor(outputs) then outputs:tobytes() end
end

local function onnx_files()
  local list = {}
  for _, name in ipairs{"opset7", "shapes", "recurrent", "control", "quantized", "function",
    "several", "external", "attention"} do
    list[#list + 1] = "spec/fixtures/onnx/" .. name .. ".onnx"
  end
  return list
end

--- The readers: `name`, `read(path)`, `files`: valid files of the format. The two files of a
-- checkpoint are damaged in turn.
-- @tparam string folder an empty one
-- @treturn {table,...}
function readers.list(folder)
  local fixtures = "spec/fixtures/"
  local model = new_model()
  local weights = saved(folder, "right.weights.h5", function(path) model:save_weights(path) end)
  local old_weights = saved(folder, "old.h5", function(path) model:save_weights(path) end)
  local json, yaml = written(folder, "model.json", model:to_json()),
    written(folder, "model.yaml", model:to_yaml())
  return {
    {name = "keras", read = load_model, files = {
      saved(folder, "model.keras", function(path)
        model:save(path)
      end), fixtures .. "models/nested/k3_model.keras"}},
    {name = "h5", read = load_model, files = {
      saved(folder, "model.h5", function(path)
        model:save(path)
      end), fixtures .. "models/lstm_classifier/tf2_model.h5"}},
    {name = "weights", read = load_weights, files = {weights, old_weights}},
    {name = "checkpoint", read = load_checkpoint, files = checkpoint_files(folder)},
    {name = "onnx", read = load_onnx, files = onnx_files()},
    {name = "npy", read = cusp.load,
      files = {fixtures .. "numpy/f4_little.npy", fixtures .. "numpy/text.npy"}},
    {name = "npz", read = cusp.load,
      files = {fixtures .. "numpy/stored.npz", fixtures .. "numpy/deflated.npz"}},
    {name = "safetensors", read = cusp.load, files = {
      saved(folder, "x.safetensors", function(path)
        cusp.save(path, {a = cusp.ones{3, 4}, b = cusp.zeros({5}, {dtype = "int8"}), c = {"text"}})
      end)}},
    {name = "idx", read = function(path)
      return engine.read_idx(path):tobytes()
    end, files = {written(folder, "images", idx_bytes())}},
    {name = "csv", read = function(path)
      run_dataset(cusp.data.from_csv{path, label_name = "y"})
    end, files = {
      written(folder, "rows.csv", "a,b,y\n1,2.5,0\n\"3\",-4e2,1\n5,,0\n")}},
    {name = "tfrecord", read = read_records,
      files = {saved(folder, "rows.tfrecord", save_records)}},
    {name = "image", read = function(path)
      return cusp.data.read_image(path):tobytes()
    end, files = readers.pictures()},
    {name = "json", read = text_of(cusp.json.decode), files = {json}},
    {name = "yaml", read = text_of(cusp.yaml.decode), files = {yaml}},
    {name = "model_from_json", read = text_of(cusp.models.model_from_json), files = {json}},
    {name = "model_from_yaml", read = text_of(cusp.models.model_from_yaml), files = {yaml}},
  }
end

--- Small images from the fixtures.
function readers.pictures()
  local result = {}
  local pipe =
    assert(io.popen("find spec/fixtures/data/pictures -type f -size -40k | LC_ALL=C sort | head "
      .. "-n 9"))
  for line in pipe:lines() do result[#result + 1] = line end
  pipe:close()
  return result
end

return readers
