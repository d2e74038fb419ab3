--- A model as a graph of operations for TensorBoard: a scope per layer, with its operation and its
-- weights.
-- @module cusp.summary.graph
local protobuf = require "cusp.formats.protobuf"
local shapes = require "cusp.base.shape"

local graph = {}

local types = {
  float32 = "DT_FLOAT", float64 = "DT_DOUBLE", float16 = "DT_HALF", bfloat16 = "DT_BFLOAT16",
  int8 = "DT_INT8", int16 = "DT_INT16",
  int32 = "DT_INT32", int64 = "DT_INT64", uint8 = "DT_UINT8", uint16 = "DT_UINT16",
  uint32 = "DT_UINT32", uint64 = "DT_UINT64",
  bool = "DT_BOOL",
}

local function shape_of(shape)
  local dims = {}
  for i, size in ipairs(shape) do dims[i] = {size = size == shapes.None and -1 or size} end
  return {dim = dims}
end

local function attributes(dtype, output_shapes)
  local list = {}
  for i, shape in ipairs(output_shapes) do list[i] = shape_of(shape) end
  local result = {{key = "_output_shapes", value = {list = {shape = list}}}}
  if types[dtype] then result[2] = {key = "T", value = {type = types[dtype]}} end
  return result
end

-- Names in a graph may use only letters, digits and a few other characters.
local function clean(name) return (name:gsub("[^%w_.%-/]", "_")) end

local function class_of(layer)
  return clean(layer.__is_layer and getmetatable(layer).__name or layer.class_name or "Operation")
end

local Builder = {}
Builder.__index = Builder

function Builder:add(node)
  node.name = clean(node.name)
  self.nodes[#self.nodes + 1] = node
  return node.name
end

-- The weights of a layer, as inputs of its operation; only at the layer's first call.
function Builder:add_weights(layer, scope, inputs)
  if self.met[layer] then return end
  self.met[layer] = true
  for i, weight in ipairs(layer.__is_layer and layer.weights or {}) do
    inputs[#inputs + 1] = self:add{
      name = ("%s/%s"):format(scope, self:unique(layer, weight.name or ("weight_%d"):format(i))),
      op = "VarHandleOp",
      attr = attributes(weight.dtype, {weight.shape}),
    }
  end
end

-- A unique name in the layer's scope.
function Builder:unique(layer, name)
  local taken = self.taken[layer] or {}
  self.taken[layer] = taken
  taken[name] = (taken[name] or 0) + 1
  return taken[name] == 1 and name or ("%s_%d"):format(name, taken[name] - 1)
end

-- Adds one call of a layer and returns the name of its node.
function Builder:add_operation(layer, scope, inputs, outputs)
  self:add_weights(layer, scope, inputs)
  local output_shapes, dtype = {}, nil
  for i, tensor in ipairs(outputs) do
    output_shapes[i], dtype = tensor.shape, dtype or tensor.dtype
  end
  return self:add{
    name = ("%s/%s"):format(scope, self:unique(layer, class_of(layer))), op = class_of(layer),
    input = inputs,
    attr = attributes(dtype, output_shapes),
  }
end

-- Adds the calls between a model's inputs and outputs. `names` has the nodes of its inputs; returns
-- those of its outputs.
function Builder:add_graph(calls, scope, names)
  local produced, outputs = {}, {}
  for i, tensor in ipairs(calls.inputs) do produced[tensor] = names[i] end
  for _, node in ipairs(calls.nodes) do
    local layer, inputs = node.operation, {}
    local own_scope = scope .. layer.name
    for i, tensor in ipairs(node.input_tensors) do inputs[i] = produced[tensor] end
    local results
    if node.is_input then
      results = {produced[node.output_tensors[1]] or self:add{
        name = own_scope, op = "Placeholder",
        attr = attributes(node.output_tensors[1].dtype, {node.output_tensors[1].shape}),
      }}
    elseif layer.__is_layer and layer.__own.graph then
      results = self:add_graph(layer.__own.graph, own_scope .. "/", inputs)
    else
      results = {self:add_operation(layer, own_scope, inputs, node.output_tensors)}
    end
    for i, tensor in ipairs(node.output_tensors) do
      produced[tensor] = produced[tensor] or results[i] or results[1]
    end
  end
  for i, tensor in ipairs(calls.outputs) do outputs[i] = produced[tensor] end
  return outputs
end

--- A model as the bytes of a GraphDef: layers with their weights, connected if the model has a
-- graph.
-- @tparam Model model built
-- @treturn string
function graph.of_model(model)
  local builder = setmetatable({nodes = {}, met = {}, taken = {}}, Builder)
  local own = model.__own.graph
  if own then
    builder:add_graph(own, "", {})
  else
    for _, layer in ipairs(model.layers) do builder:add_operation(layer, layer.name, {}, {}) end
  end
  return protobuf.encode("tensorflow.GraphDef", {node = builder.nodes, versions = {producer = 1}})
end

return graph
