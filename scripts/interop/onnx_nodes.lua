-- Runs the ONNX models that a manifest lists and compares their outputs; for onnx_nodes.py.
local cusp = require "cusp"
local OnnxGraph = require "cusp.onnx.load.layer"
local engine = require "cusp.engine"
local protobuf = require "cusp.formats.protobuf"
local tensors = require "cusp.onnx.messages.tensors"
local ops = cusp.ops

local function read(path)
  local reader <close> = engine.files.open(path)
  return reader:read(0, reader.size)
end

local function load_tensor(path)
  return tensors.decode(protobuf.decode("onnx.TensorProto", read(path)))
end

local function load_value(entry, optional)
  local value
  if entry.kind == "none" then return {optional = false} end
  if entry.kind == "tensor" then
    value = load_tensor(entry.file)
  else
    value = {sequence = {}}
    for i, path in ipairs(entry.files) do value.sequence[i] = load_tensor(path) end
  end
  return optional and {optional = value} or value
end

local function widened(tensor)
  if tensor.dtype == "string" then return tensor end
  return ops.cast(tensor, tensor.dtype:find "int64" and tensor.dtype or "float64")
end

local function is_close(case, got, expected)
  if got.dtype == "string" then return table.concat(got:flat(), "\0")
    == table.concat(expected:flat(), "\0") end
  local a, b = widened(got), widened(expected)
  return ops.all(ops.isclose(a, b, {rtol = case.rtol, atol = case.atol, equal_nan = true})):item()
end

local function compare_tensors(case, got, expected, where)
  if not engine.is_tensor(got) then return where .. ": got no tensor" end
  if got.dtype ~= expected.dtype then
    return ("%s: got %s, expected %s"):format(where, got.dtype, expected.dtype)
  end
  local shape, wanted = table.concat(got.shape, ","), table.concat(expected.shape, ",")
  if shape ~= wanted then
    return ("%s: got shape {%s}, expected {%s}"):format(where, shape, wanted)
  end
  if #got:flat() > 0 and not is_close(case, got, expected) then
    return where .. ": other values"
  end
end

local function compare(case, got, entry, i)
  local where = "output " .. i
  if type(got) == "table" and got.optional ~= nil then got = got.optional or nil end
  if entry.kind == "none" then return got ~= nil and where .. ": expected nothing" or nil end
  if entry.kind == "tensor" then
    return compare_tensors(case, got, load_tensor(entry.file), where)
  end
  if type(got) ~= "table" or #got.sequence ~= #entry.files then
    return where .. ": expected a sequence of " .. #entry.files
  end
  for k, path in ipairs(entry.files) do
    local reason = compare_tensors(case, got.sequence[k], load_tensor(path), where)
    if reason then return reason end
  end
end

local function run(case)
  cusp.random.set_seed(1)
  local proto = protobuf.decode("onnx.ModelProto", read(case.model))
  local layer, given = OnnxGraph.of_model(proto, case.model:match "^(.*)/"), {}
  for i, info in ipairs(layer:input_infos()) do
    local optional = info.type.optional_type ~= nil
    given[info.name] = load_value(case.inputs[i], optional)
  end
  local results = layer:run(given)
  for i, entry in ipairs(case.outputs) do
    local reason = compare(case, results[i], entry, i)
    if reason then return reason end
  end
end

for _, case in ipairs(cusp.json.decode(read(arg[1]))) do
  local ok, reason = pcall(run, case)
  if not ok then reason = tostring(reason):gsub("^[^:]*:%d+: ", "") end
  print(cusp.json.encode{name = case.name, reason = reason})
end
