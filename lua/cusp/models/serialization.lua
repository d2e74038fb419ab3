--- Functional models as configurations: Keras 3's form is written, that and Keras 2's are read.
-- @module cusp.models.serialization
local Node = require "cusp.models.node"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local kinds = require "cusp.kinds"
local null = require "cusp.null"
local ordered = require "cusp.ordered"
local registry = require "cusp.registry"
local shapes = require "cusp.shape"
local structure = require "cusp.models.structure"
local symbolic = require "cusp.models.symbolic"

local serialization = {}
local is_symbolic, is_plain = Node.is_symbolic, kinds.is_plain

local function nullable(shape)
  return structure.map(shape, function(size) return size == shapes.None and null or size end)
end

---------------------------------------------------------------- writing

--- The number of a call among those of its layer that belong to the graph, from 0.
local function index_in_graph(graph, node)
  local index = 0
  for _, other in ipairs(node.operation._nodes) do
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
      keras_history = {history.operation.name, index_in_graph(graph, history.node), history.tensor_index},
    }, {"shape", "dtype", "keras_history"}),
  }, {"class_name", "config"})
end

local function serialize_argument(graph, value)
  if value == nil or value == false then return null end
  if is_symbolic(value) then return serialize_tensor(graph, value) end
  if type(value) == "userdata" then
    return {class_name = "__tensor__", config = {value = value:tolist(), dtype = value.dtype}}
  end
  if not is_plain(value) then return registry.serialize(value) end
  local result = structure.is_list(value) and {} or ordered.object()
  for key, item in pairs(value) do result[key] = serialize_argument(graph, item) end
  return result
end

local schemas

--- The parameters of an operation, as the engine describes them.
local function schema_of(op)
  if not schemas then
    schemas = {}
    for _, row in ipairs(engine.describe()) do schemas[row.name] = row.arguments end
  end
  return schemas[op]
end

--- An operation's arguments by name, whichever way they were given.
local function named_arguments(node)
  local schema = schema_of(node.operation.op)
  if not schema then return nil end
  local given, named = node.arguments, {}
  local position = 0
  for i = 1, given.n do
    local value = given[i]
    local keyed = is_plain(value) and not structure.is_list(value)
    local alone = i == given.n and is_plain(value) and (keyed or next(value, #value > 0 and #value or nil) ~= nil)
    if alone then
      for key, item in pairs(value) do
        if type(key) == "string" then named[key] = item elseif schema[position + key] then named[schema[position + key].name] = item end
      end
    else
      position = position + 1
      if schema[position] then named[schema[position].name] = value end
    end
  end
  return named, schema
end

local tensor_kinds = {tensor = true, tensors = true}

local function zero_based(kind, value)
  if kind ~= "axis" and kind ~= "axes" then return value end
  return kinds.to_config({"axis", kind}, value)
end

--- An operation's call: tensors among the arguments of the call, the rest in the configuration, as Keras has it.
local function serialize_operation(graph, node)
  local operation = node.operation
  local config = ordered.object({name = operation.name}, {"name"})
  local args = {}
  local named, schema = named_arguments(node)
  if named then
    for _, parameter in ipairs(schema) do
      local value = named[parameter.name]
      if tensor_kinds[parameter.kind] or value ~= nil and structure.find(value, is_symbolic) then
        if value ~= nil then args[#args + 1] = serialize_argument(graph, value) end
      elseif value ~= nil then
        ordered.set(config, parameter.name, zero_based(parameter.kind, value))
      end
    end
  else
    for i = 1, node.arguments.n do args[i] = serialize_argument(graph, node.arguments[i]) end
  end
  local known = named and "keras.src.ops" or "cusp.ops"
  return ordered.object({
    module = known, class_name = operation.class_name, config = config, registered_name = operation.class_name, name = operation.name,
    inbound_nodes = {ordered.object({args = args, kwargs = ordered.object()}, {"args", "kwargs"})},
  }, {"module", "class_name", "config", "registered_name", "name", "inbound_nodes"})
end

local function serialize_call(graph, node)
  local args = {}
  for i = 1, node.arguments.n do args[i] = serialize_argument(graph, node.arguments[i]) end
  local kwargs = ordered.object()
  for key, value in pairs(node.keywords or {}) do kwargs[key] = serialize_argument(graph, value) end
  return ordered.object({args = args, kwargs = kwargs}, {"args", "kwargs"})
end

local function serialize_layer(graph, layer)
  local config = registry.serialize(layer)
  if rawget(layer, "_build_shape") and structure.is_shape(layer._build_shape) then
    ordered.set(config, "build_config", ordered.object({input_shape = nullable(layer._build_shape)}, {"input_shape"}))
  end
  ordered.set(config, "name", layer.name)
  local calls = {}
  for _, node in ipairs(layer._nodes) do
    if graph:has(node) and not node.is_input then calls[#calls + 1] = serialize_call(graph, node) end
  end
  ordered.set(config, "inbound_nodes", calls)
  return config
end

--- Keras 3 gives the node index of a nested functional model's output one more than its calls within the graph.
local function node_offset(operation)
  return operation.__is_model and rawget(operation, "_graph") and getmetatable(operation).__name == "Functional" and 1 or 0
end

local function tensor_place(graph)
  return function(tensor)
    local history = tensor._history
    return {history.operation.name, index_in_graph(graph, history.node) + node_offset(history.operation), history.tensor_index}
  end
end

--- The configuration of a model made of symbolic tensors.
function serialization.get_config(model)
  local graph = model._graph
  local layers = {}
  for i, operation in ipairs(graph.operations) do
    if operation.__is_layer then layers[i] = serialize_layer(graph, operation)
    else layers[i] = serialize_operation(graph, operation._nodes[1]) end
  end
  return ordered.object({
    name = model.name, trainable = model.trainable, layers = layers,
    input_layers = structure.map(graph.input_structure, tensor_place(graph)),
    output_layers = structure.map(graph.output_structure, tensor_place(graph)),
  }, {"name", "trainable", "layers", "input_layers", "output_layers"})
end

---------------------------------------------------------------- reading

local WAIT = {} -- raised while a call's input has not been made yet

local function output_of(operations, name, node_index, tensor_index, legacy)
  local operation = operations[name]
  if not operation then errors.raise("model configuration: there is no layer named %s", errors.describe(name)) end
  if legacy then -- Keras 2 counts the model's own making as its first call
    local is_graph = operation.__is_model and rawget(operation, "_graph") ~= nil
    node_index = math.max(node_index - (is_graph and 1 or 0), 0)
  end
  local node = operation._nodes[node_index + 1]
  if not node then error(WAIT, 0) end
  return node.output_tensors[tensor_index + 1]
    or errors.raise("model configuration: %s has no output %d", name, tensor_index)
end

local function revive(operations, value)
  if value == null or value == nil then return nil end
  if not is_plain(value) then return value end
  if value.class_name == "__keras_tensor__" then
    local history = value.config.keras_history
    return output_of(operations, history[1], history[2], history[3])
  end
  if value.class_name ~= nil then return registry.deserialize(value) end
  local result = {}
  for key, item in pairs(value) do
    local revived = revive(operations, item)
    if revived == nil and type(key) == "number" then revived = false end
    result[key] = revived
  end
  return result
end

--- Keras 2's form of a call: a list of [layer, node, tensor, keywords].
local function legacy_call(operations, data)
  local tensors, keywords = {}, nil
  if type(data[1]) == "string" then data = {data} end
  for i = 1, #data do
    local entry = data[i]
    tensors[i] = output_of(operations, entry[1], entry[2], entry[3], true)
    if is_plain(entry[4]) and next(entry[4]) ~= nil then keywords = entry[4] end
  end
  local args = {}
  for key, value in pairs(keywords or {}) do
    if is_plain(value) and type(value[1]) == "string" and operations[value[1]] then
      args[key] = output_of(operations, value[1], value[2], value[3], true)
    elseif value ~= null then
      args[key] = value
    end
  end
  return {#tensors == 1 and tensors[1] or tensors}, args
end

local function call_operation(operation, args, keywords)
  local n = 0
  for i in pairs(args) do n = math.max(n, i) end
  if next(keywords) ~= nil then
    n = n + 1
    args[n] = keywords
  end
  operation(table.unpack(args, 1, n))
end

local function process_call(operations, operation, data)
  local args, keywords
  if is_plain(data) and data.args then
    args, keywords = revive(operations, data.args), revive(operations, data.kwargs) or {}
  else
    args, keywords = legacy_call(operations, data)
  end
  for key, value in pairs(operation.attributes or {}) do keywords[key] = value end
  call_operation(operation, args, keywords)
end

local function snake_case(name)
  return require("cusp.models.names").snake_case(name)
end

local function is_operation(data)
  return type(data.module) == "string" and data.module:find "%.ops" ~= nil
end

--- An operation from its configuration: what is not a tensor stands there, with axes from 0.
local function read_operation(data)
  local op = snake_case(data.class_name)
  local operation
  if op == "get_item" then
    operation = symbolic.Operation.new(op, function(tensor, index) return tensor[index] end, data.config.name)
  else
    operation = symbolic.Operation.new(op, engine.tensor_methods[op] and not require("cusp.ops")[op] and engine.tensor_methods[op] or nil,
      data.config.name)
  end
  local by_name = {}
  for _, parameter in ipairs(schema_of(op) or {}) do by_name[parameter.name] = parameter end
  operation.attributes = {}
  for key, value in pairs(data.config) do
    local parameter = by_name[key]
    if parameter and value ~= null then
      local is_axis = parameter.kind == "axis" or parameter.kind == "axes"
      operation.attributes[key] = is_axis and kinds.from_config({key, parameter.kind}, value) or value
    end
  end
  return operation
end

local function read_layer(data)
  if is_operation(data) then return read_operation(data) end
  local config = {class_name = data.class_name, config = data.config, module = data.module, registered_name = data.registered_name}
  return require("cusp.layers").deserialize(config)
end

--- Makes the calls in an order in which each one's inputs exist; a layer's own calls stay in theirs.
local function process_calls(operations, pending)
  while #pending > 0 do
    local progress, rest = false, {}
    for _, entry in ipairs(pending) do
      while entry.calls[entry.next] do
        local ok, message = pcall(process_call, operations, operations[entry.name], entry.calls[entry.next])
        if not ok and message ~= WAIT then error(message, 0) end
        if not ok then break end
        entry.next, progress = entry.next + 1, true
      end
      if entry.calls[entry.next] then rest[#rest + 1] = entry end
    end
    if not progress then
      local missing = {}
      for i, entry in ipairs(rest) do missing[i] = entry.name end
      errors.raise("model configuration: the inputs of these layers cannot be made: %s", table.concat(missing, ", "))
    end
    pending = rest
  end
end

local function read_tensors(operations, places)
  if #places == 3 and type(places[1]) == "string" then
    local operation = operations[places[1]]
    local offset = operation and operation.__is_model and rawget(operation, "_graph") and places[2] > 0 and 1 or 0
    return output_of(operations, places[1], places[2] - offset, places[3])
  end
  local result = {}
  for key, place in pairs(places) do result[key] = read_tensors(operations, place) end
  return result
end

--- A model from its configuration.
-- @tparam table class the model's class
-- @tparam table config
-- @raise where a layer is unknown or the graph is incomplete
function serialization.from_config(class, config)
  local operations, pending = {}, {}
  for i = 1, #config.layers do
    local data = config.layers[i]
    local operation = read_layer(data)
    local name = data.name or data.config.name
    operations[name] = operation
    local calls = data.inbound_nodes or {}
    if #calls > 0 then pending[#pending + 1] = {name = name, calls = calls, next = 1} end
  end
  process_calls(operations, pending)
  local arguments = {
    inputs = read_tensors(operations, config.input_layers), outputs = read_tensors(operations, config.output_layers),
  }
  if #config.input_layers == 1 and type(config.input_layers[1]) ~= "string" then arguments.inputs = arguments.inputs[1] end
  if #config.output_layers == 1 and type(config.output_layers[1]) ~= "string" then arguments.outputs = arguments.outputs[1] end
  for key, value in pairs(config) do
    if key ~= "layers" and key ~= "input_layers" and key ~= "output_layers" and value ~= null then arguments[key] = value end
  end
  return class(arguments)
end

return serialization
