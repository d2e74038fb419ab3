--- An ONNX graph as a layer: initializers of floats are its weights.
-- @classmod cusp.onnx.OnnxGraph
local Graph = require "cusp.onnx.load.graph"
local Layer = require "cusp.layers.machinery.layer"
local calling = require "cusp.layers.machinery.calling"
local dtypes = require "cusp.onnx.messages.dtypes"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local protobuf = require "cusp.formats.protobuf"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"
local tensors = require "cusp.onnx.messages.tensors"

local None = shapes.None

---------------------------------------------------------------- bytes in a configuration

local function to_hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function from_hex(text)
  return (text:gsub("(%x%x)", function(pair) return string.char(tonumber(pair, 16)) end))
end

---------------------------------------------------------------- which initializers are weights

-- Inputs that are not trained: statistics, scales of quantization, and what has to be known.
local fixed = {BatchNormalization = {[4] = true, [5] = true},
  QuantizeLinear = {[2] = true, [3] = true}, DequantizeLinear = {[2] = true, [3] = true}}
local known = {Resize = {[2] = true, [3] = true, [4] = true}, Upsample = {[2] = true},
  Dropout = {[2] = true}, Pad = {[3] = true}, Range = {[1] = true, [2] = true, [3] = true},
  QLinearConv = {[2] = true, [5] = true, [7] = true},
  QLinearMatMul = {[2] = true, [5] = true, [7] = true},
  NonMaxSuppression = {[4] = true, [5] = true}}

local function uses_of(proto)
  local uses = {}
  for _, node in ipairs(proto.node) do
    for i, name in ipairs(node.input) do
      if (fixed[node.op_type] or {})[i] then uses[name] = uses[name] or "fixed" end
      if (known[node.op_type] or {})[i] then uses[name] = "known" end
    end
  end
  return uses
end

-- What each initializer becomes: "weight", "fixed" (a weight that is not trained) or "constant".
local function role_of(tensor, uses)
  local dtype = dtypes.name(tensor.data_type)
  if not dtype or not dtypes.is_float(dtype) or #tensor.dims == 0 then return "constant" end
  if uses[tensor.name] == "known" then return "constant" end
  return uses[tensor.name] or "weight"
end

---------------------------------------------------------------- the layer

local OnnxGraph = Layer:extend("OnnxGraph", {
  config = {{"model", "string", transient = true}},
  autocast = false,
  first_is_list = true,
})
OnnxGraph.__module = "onnx"

local function versions(model)
  local opsets = {}
  for _, import in ipairs(model.opset_import) do
    opsets[import.domain == "ai.onnx" and "" or import.domain] = import.version
  end
  return opsets
end

local function functions_of(model)
  local functions = {}
  for _, body in ipairs(model.functions) do functions[body.domain .. ":" .. body.name] = body end
  return functions
end

local function check_known(unknown)
  if #unknown == 0 then return end
  local shown = table.concat(unknown, ", ", 1, math.min(#unknown, 8))
  errors.raise("onnx: %d node%s not among Cusp's operators: %s%s", #unknown,
    #unknown == 1 and " is" or "s are", shown, #unknown > 8 and ", ..." or "")
end

-- The graph without its weights, and those apart.
local function separate(proto)
  local uses, constants, weights = uses_of(proto), {}, {}
  for _, tensor in ipairs(proto.initializer) do
    local role = role_of(tensor, uses)
    if role == "constant" then
      constants[#constants + 1] = tensor
    else
      weights[#weights + 1] = {proto = tensor, trainable = role == "weight"}
    end
  end
  return constants, weights
end

local function add_weight(self, weight, folder)
  local proto = weight.proto
  local value = not weight.empty and tensors.decode(proto, folder)
  return self:add_weight{name = proto.name, shape = proto.dims,
    dtype = dtypes.name(proto.data_type), trainable = weight.trainable,
    initializer = value and function() return value end or "zeros"}
end

local function build_graph(self, model, folder)
  local constants, weights = separate(model.graph)
  local context = {folder = folder, opsets = versions(model), functions = functions_of(model),
    unknown = {}, count = 0, depth = 0}
  local bare = {}
  for key, value in pairs(model.graph) do bare[key] = value end
  bare.initializer = constants
  self.__own.onnx = {graph = Graph.new(bare, context), model = model, weights = {}}
  check_known(context.unknown)
  for _, weight in ipairs(weights) do
    local data = weight.proto
    weight.empty = data.raw_data == "" and not data.place and #data.float_data == 0
      and #data.double_data == 0 and #data.int32_data == 0 and data.data_location ~= 1
    self.__own.onnx.weights[data.name] = add_weight(self, weight, folder)
  end
end

--- Makes the layer of a decoded onnx.ModelProto.
-- @local
function OnnxGraph.of_model(model, folder, name)
  local layer = OnnxGraph{model = "", name = name}
  build_graph(layer, model, folder)
  return layer
end

function OnnxGraph:init(args)
  self:configure(args, OnnxGraph)
  Layer.init(self, args)
  local model = rawget(self, "model")
  self.model = nil
  if model ~= "" then
    build_graph(self, protobuf.decode("onnx.ModelProto", from_hex(model)))
  end
end

-- The names of the graph's inputs that are no initializers.
function OnnxGraph:input_infos()
  local given, infos = {}, {}
  for _, tensor in ipairs(self.__own.onnx.model.graph.initializer) do given[tensor.name] = true end
  for _, info in ipairs(self.__own.onnx.model.graph.input) do
    if not given[info.name] then infos[#infos + 1] = info end
  end
  return infos
end

--- Runs the graph on values by name.
-- @local
function OnnxGraph:run(given)
  local own, env = self.__own.onnx, Graph.environment()
  for name, tensor in pairs(own.graph.constants) do env[name] = tensor end
  for name, variable in pairs(own.weights) do env[name] = variable.value end
  for name, value in pairs(given) do env[name] = value end
  return own.graph:run(env)
end

function OnnxGraph:call(inputs)
  local flat, given = structure.flatten(inputs), {}
  for i, info in ipairs(self:input_infos()) do given[info.name] = flat[i] end
  local results = self:run(given)
  return #results == 1 and results[1] or results
end

---------------------------------------------------------------- types

local function shape_of(info)
  local tensor = info.type and info.type.tensor_type
  if not tensor or not tensor.shape then return nil end
  local shape = {}
  for i, dim in ipairs(tensor.shape.dim) do
    local size = dim.dim_value
    shape[i] = size and size >= 0 and size or None
  end
  return shape, dtypes.name(tensor.elem_type)
end
OnnxGraph.shape_of = shape_of

--- The types of the outputs that the file declares; nil if it does not declare all.
-- @local
function OnnxGraph:known_output_types(inputs)
  local types = {}
  for i, info in ipairs(self.__own.onnx.model.graph.output) do
    local shape, dtype = shape_of(info)
    if not shape or not dtype then return calling.infer(self, inputs, {n = 0}, {}) end
    types[i] = setmetatable({shape = shape, dtype = dtype}, {__name = "type"})
  end
  return #types == 1 and types[1] or types
end

-- Whether a trace fails because a size or a choice depends on the inputs' values.
local function needs_values(self)
  local inputs = {}
  for i, info in ipairs(self:input_infos()) do
    local shape, dtype = shape_of(info)
    if not shape or not dtype then return false end
    inputs[i] = symbolic.tensor(shape, dtype, info.name)
  end
  local ok, message = engine.attempt(calling.infer, self, #inputs == 1 and inputs[1] or inputs,
    {n = 0}, {})
  return not ok and plain.tostring(message):find("depends on the inputs' values", 1, true) ~= nil
end

--- Whether its steps cannot be compiled.
-- @local
function OnnxGraph:runs_eagerly()
  local own = self.__own.onnx
  if own.eager == nil then own.eager = needs_values(self) end
  return own.eager
end

---------------------------------------------------------------- saving

local function without_data(tensor)
  return {name = tensor.name, dims = tensor.dims, data_type = tensor.data_type}
end

function OnnxGraph:get_config()
  local config = Layer.get_config(self)
  local model, graph = {}, {}
  for key, value in pairs(self.__own.onnx.model) do model[key] = value end
  for key, value in pairs(model.graph) do graph[key] = value end
  graph.initializer = {}
  for i, tensor in ipairs(model.graph.initializer) do
    if self.__own.onnx.weights[tensor.name] then
      graph.initializer[i] = without_data(tensor)
    else
      local constants = self.__own.onnx.graph.constants
      graph.initializer[i] = tensors.encode(tensor.name, constants[tensor.name])
    end
  end
  model.graph = graph
  config.model = to_hex(protobuf.encode("onnx.ModelProto", model))
  return config
end

--- Forgets the data of the weights in the messages, which the variables hold.
-- @local
function OnnxGraph:release()
  local initializers = self.__own.onnx.model.graph.initializer
  for i, tensor in ipairs(initializers) do initializers[i] = without_data(tensor) end
end

return OnnxGraph
