--- Reads ONNX files as models.
-- @module cusp.onnx.load
local OnnxGraph = require "cusp.onnx.load.layer"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local protobuf = require "cusp.formats.protobuf"
local ranges = require "cusp.onnx.messages.ranges"
local rooms = require "cusp.base.rooms"

local oldest = 7
local bind = arguments.binder("onnx.load", {{"path", "string"}}, false)

---------------------------------------------------------------- the file

local function read(path, reader)
  local bytes, places = ranges.read(reader)
  local ok, model = engine.attempt(protobuf.decode, "onnx.ModelProto", bytes)
  if not ok or not model.graph then
    errors.raise("onnx.load: %s is no ONNX model%s", path, ok and "" or ": " .. tostring(model)
      :gsub("^[^:]*:%d+: ", ""))
  end
  for i, place in pairs(places) do
    place.reader = reader
    model.graph.initializer[i].place = place
  end
  return model
end

local function check_opset(path, model)
  local found
  for _, import in ipairs(model.opset_import) do
    if import.domain == "" or import.domain == "ai.onnx" then found = import.version end
  end
  if found and found < oldest then
    errors.raise("onnx.load: %s uses opset %d; Cusp reads opset %d and later", path, found, oldest)
  end
end

---------------------------------------------------------------- the model

local function plain_name(name, fallback)
  local result = name:gsub("[^%w_.%-]", "_")
  return result ~= "" and result or fallback
end

-- One symbolic input for each of the graph's; nil if one is no tensor of known rank.
local function inputs_of(layer, taken)
  local Input, inputs = require("cusp.symbolic.tensors").input, {}
  for i, info in ipairs(layer:input_infos()) do
    local shape, dtype = OnnxGraph.shape_of(info)
    if not shape or not dtype then return nil, info.name end
    local name = plain_name(info.name, "input")
    while taken[name] do name = name .. "_" end
    taken[name] = true
    inputs[i] = Input{batch_shape = shape, dtype = dtype, name = name}
  end
  return inputs
end

-- Each output behind a layer of its name.
local function outputs_of(layer, results, taken)
  local Identity, outputs = rooms.get("layers").Identity, {}
  local list = #layer.__own.onnx.graph.outputs == 1 and {results} or results
  for i, name in ipairs(layer.__own.onnx.graph.outputs) do
    local own = plain_name(name, "output")
    while taken[own] do own = own .. "_" end
    taken[own] = true
    outputs[i] = Identity{name = own, dtype = list[i].dtype}(list[i])
  end
  return #outputs == 1 and outputs[1] or outputs
end

local function model_of(path, proto)
  local folder = path:match "^(.*)/[^/]*$" or "."
  local name = plain_name(proto.graph.name, "onnx")
  local layer = OnnxGraph.of_model(proto, folder, name .. "_graph")
  local taken = {[layer.name] = true}
  local inputs, unclear = inputs_of(layer, taken)
  if not inputs then
    errors.raise("onnx.load: %s: the input '%s' is no tensor of a known rank", path, unclear)
  end
  if #inputs == 0 then
    errors.raise("onnx.load: %s: the graph has no inputs, so there is nothing to predict", path)
  end
  local results = layer(#inputs == 1 and inputs[1] or inputs)
  local model = rooms.get("library").Model{inputs = #inputs == 1 and inputs[1] or inputs,
    outputs = outputs_of(layer, results, taken), name = name}
  layer:release()
  return model
end

--- Reads an ONNX file as a functional model: its initializers of floats are weights that train, its
-- inputs and outputs keep their names.
-- @tparam string path
-- @treturn Model
-- @raise if the file is damaged, or a node is not among Cusp's operators
-- @usage local model = cusp.onnx.load "model.onnx"
return function(...)
  local path = bind(...)
  local reader <close> = engine.files.open(path)
  local proto = read(path, reader)
  check_opset(path, proto)
  local ok, model = engine.attempt(model_of, path, proto)
  if ok then return model end
  local message = plain.tostring(model):gsub("^[^:]*:%d+: ", ""):gsub("^onnx: ", "")
  if message:find "^onnx.load: " then errors.raise("%s", message) end
  errors.raise("onnx.load: %s: %s", path, message)
end
