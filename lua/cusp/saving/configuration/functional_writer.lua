--- Writes graphs of symbolic tensors as Keras 3's configurations.
-- @module cusp.saving.configuration.functional_writer
local Node = require "cusp.symbolic.node"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local operations = require "cusp.saving.shared.operations"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local functional_writer = {}
local is_symbolic, is_plain = Node.is_symbolic, kinds.is_plain

local function nullable(shape)
  return structure.map(shape, function(size) return size == shapes.None and null or size end)
end

--- The number of a call among those of its layer in the graph, from 0.
local function index_in_graph(graph, node)
  local index = 0
  for _, other in ipairs(node.operation.__own.nodes) do
    if other == node then return index end
    if graph:has(other) then index = index + 1 end
  end
  return index
end

local function serialize_tensor(graph, tensor)
  local history = tensor._history
  return ordered.object({
    class_name = "__keras_tensor__",
    config = ordered.object({
      shape = nullable(tensor.shape), dtype = tensor.dtype,
      keras_history = {history.operation.name, index_in_graph(graph, history.node),
        history.tensor_index},
    }, {"shape", "dtype", "keras_history"}),
  }, {"class_name", "config"})
end

--- An argument of a call: symbolic tensors as references, tensors by value.
local function serialize_argument(graph, value)
  if value == nil or value == false then return null end
  if is_symbolic(value) then return serialize_tensor(graph, value) end
  if type(value) == "userdata" then
    local config = ordered.object({value = value:tolist(), dtype = value.dtype}, {"value", "dtype"})
    return ordered.object({class_name = "__tensor__", config = config}, {"class_name", "config"})
  end
  if not is_plain(value) then return registry.serialize(value) end
  local result = structure.is_list(value) and {} or ordered.object()
  for key, item in pairs(value) do result[key] = serialize_argument(graph, item) end
  return result
end

-- Keras passes a mask to these and to models even if there is none, and its files show it.
local shows_mask = {Bidirectional = true, GlobalAveragePooling1D = true}

local function serialize_call(graph, node)
  local args = {}
  for i = 1, node.arguments.n do args[i] = serialize_argument(graph, node.arguments[i]) end
  local kwargs = ordered.object()
  for key, value in pairs(node.keywords or {}) do
    -- in lists it means no mask
    if value == false then
      kwargs[key] = false
    else
      kwargs[key] = serialize_argument(graph, value)
    end
  end
  local operation = node.operation
  local masked = operation.__is_model and operation.__own.graph
    or shows_mask[getmetatable(operation).__name]
  if masked and kwargs.mask == nil then kwargs.mask = null end
  return ordered.object({args = args, kwargs = kwargs}, {"args", "kwargs"})
end

local function serialize_layer(graph, layer)
  local result = registry.serialize(layer)
  ordered.set(result, "name", layer.name)
  local calls = {}
  for _, node in ipairs(layer.__own.nodes) do
    if graph:has(node) and not node.is_input then
      calls[#calls + 1] = serialize_call(graph, node)
    end
  end
  ordered.set(result, "inbound_nodes", calls)
  return result
end

--- Keras 3 gives the output of a nested functional model a node index one higher than its calls in
-- the graph.
local function node_offset(operation)
  return operation.__is_model and operation.__own.graph
    and getmetatable(operation).__name == "Functional" and 1 or 0
end

local function tensor_place(graph)
  return function(tensor)
    local history = tensor._history
    return {history.operation.name,
      index_in_graph(graph, history.node) + node_offset(history.operation), history.tensor_index}
  end
end

--- The configuration of a functional model.
-- @tparam Model model
-- @treturn table `name`, `trainable`, `layers`, `input_layers`, `output_layers`
function functional_writer.of(model)
  local graph = model.__own.graph
  local layers = {}
  for i, operation in ipairs(graph.operations) do
    if operation.__is_layer then
      layers[i] = serialize_layer(graph, operation)
    else
      layers[i] = operations.of(operation.__own.nodes[1], function(value)
        return serialize_argument(graph, value)
      end)
    end
  end
  return ordered.object({
    name = model.name, trainable = model.trainable, layers = layers,
    input_layers = structure.map(graph.input_structure, tensor_place(graph)),
    output_layers = structure.map(graph.output_structure, tensor_place(graph)),
  }, {"name", "trainable", "layers", "input_layers", "output_layers"})
end

return functional_writer
