--- Rebuilds graphs of symbolic tensors from configurations, Keras 3's and Keras 2's.
--
-- All layers are made first. Calls follow as soon as their inputs exist: a call that lacks one
-- waits for the call that produces it. So the work grows linearly with the size of the
-- configuration, not with its square.
-- @module cusp.saving.configuration.functional_reader
local Object = require "cusp.base.class"
local call_parameters = require "cusp.saving.shared.call_parameters"
local errors = require "cusp.base.errors"
local keras2_graph = require "cusp.saving.keras2.graph"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local operations = require "cusp.saving.shared.operations"
local ordered = require "cusp.base.ordered"
local place = require "cusp.base.place"
local registry = require "cusp.base.registry"
local slicing = require "cusp.saving.shared.slicing"
local tensorflow_operations = require "cusp.saving.keras2.tensorflow_operations"

local functional_reader = {}
local is_plain = kinds.is_plain

---------------------------------------------------------------- references to outputs of calls

-- name of the layer, number of the call and of the tensor, both from 0
local Reference = {__name = "reference"}

local function is_reference(value) return getmetatable(value) == Reference end

local function index_of(value, name)
  local index = type(value) == "number" and math.tointeger(value)
  if not index then
    errors.raise("an output of the layer '%s' should be given by two integers, got %s", name,
      errors.describe(value))
  end
  return index
end

--- A reference; `offset` is the number of calls that Keras 2 counts before the first.
local function reference(state, name, node, tensor, offset)
  local operation = type(name) == "string" and state.operations[name]
  if not operation then
    errors.raise("there is no layer named %s%s", errors.describe(name),
      errors.suggestion(name, state.operations))
  end
  local calls = state.calls[name] and #state.calls[name] or #operation.__own.nodes
  local index = index_of(node, name) - (offset or 0)
  -- a model that counts its own creation, although it does not look like it
  if index == calls and operation.__is_model then index = index - 1 end
  if index < 0 or index >= calls then
    errors.raise(
      "the layer '%s' is called %d time%s in the configuration; there is no output of call %d",
      name, calls,
      calls == 1 and "" or "s", node)
  end
  return setmetatable({name = name, node = index, tensor = index_of(tensor, name)}, Reference)
end

local function tensor_of(state, at)
  local node = state.operations[at.name].__own.nodes[at.node + 1]
  return node.output_tensors[at.tensor + 1]
    or errors.raise("the layer '%s' has no output %d", at.name, at.tensor)
end

local function is_place(value)
  return is_plain(value) and type(value[1]) == "string" and type(value[2]) == "number"
    and type(value[3]) == "number"
end

---------------------------------------------------------------- calls as they stand in the file

--- An argument in Keras 3's form.
local function read_argument(state, value)
  if value == null then return nil end
  if not is_plain(value) then return value end
  if value.class_name == "__keras_tensor__" then
    local history = is_plain(value.config) and value.config.keras_history
    if not is_plain(history) then errors.raise "a tensor without keras_history" end
    return reference(state, history[1], history[2], history[3])
  end
  if value.class_name ~= nil then return registry.deserialize(value) end
  local result = {}
  for key, item in pairs(value) do
    local read = read_argument(state, item)
    if read == nil and type(key) == "number" then read = false end
    result[key] = read
  end
  return result
end

--- Keras 2's keywords: references to layers of this graph mean tensors.
local function read_keyword(state, value)
  if value == null then return nil end
  if is_place(value) and state.operations[value[1]] then
    return reference(state, value[1], value[2], value[3], state.offsets[value[1]])
  end
  if not is_plain(value) then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = read_keyword(state, item) end
  return result
end

--- Keras 2's inputs: `[layer, call, tensor, keywords]`, or a structure of these; collects the
-- keywords in `keywords`.
local function read_inputs(state, value, keywords)
  if not is_plain(value) then
    errors.raise("a call should be a list of [layer, call, tensor, keywords], got %s",
      errors.describe(value))
  end
  if type(value[1]) ~= "string" then
    local result = {}
    for key, item in pairs(value) do result[key] = read_inputs(state, item, keywords) end
    return result
  end
  if is_plain(value[4]) then
    for key, item in pairs(value[4]) do keywords[key] = read_keyword(state, item) end
  end
  if value[1] == "_CONSTANT_VALUE" then return value[3] end
  return reference(state, value[1], value[2], value[3], state.offsets[value[1]])
end

local recurrent = {RNN = true, LSTM = true, GRU = true, SimpleRNN = true, Bidirectional = true}

--- Keras 2 lists the initial states of a recurrent layer among its inputs.
local function split_states(operation, inputs, keywords)
  local class = Object.class_of(operation)
  if not class or not recurrent[class.__name] or is_reference(inputs) or #inputs < 2 then
    return inputs
  end
  keywords.initial_state = table.move(inputs, 2, #inputs, 1, {})
  return inputs[1]
end

--- A call of a TensorFlow function.
local function tensorflow_call(operation, data, inputs, keywords)
  local positional, named = tensorflow_operations.arguments(data, keywords, function(name, value)
    return operations.count_from_one(operation.op, name, value)
  end)
  return {args = table.move(positional, 1, #positional, 2, {inputs, n = 1 + #positional}),
    keywords = named}
end

local function read_keras2_call(state, entry, data)
  local keywords, args, operation = {}, {n = 1}, entry.operation
  local inputs = read_inputs(state, data, keywords)
  if tensorflow_operations.is_operation(entry.data) then
    if operation.op == "get_item" and is_plain(data[4]) then
      keywords.slice_spec = slicing.key(data[4].slice_spec)
    end
    return tensorflow_call(operation, entry.data, inputs, keywords)
  end
  if not is_reference(inputs) and #inputs == 1 and next(inputs, 1) == nil then
    inputs = inputs[1]
  end
  args[1] = is_plain(inputs) and split_states(operation, inputs, keywords) or inputs
  local class = Object.class_of(operation)
  for _, key in ipairs(ordered.keys(keywords)) do
    local position = class and call_parameters.position(class, class.__name, key)
    if position and key ~= "initial_state" then
      args[position], keywords[key] = keywords[key], nil
      args.n = math.max(args.n, position)
    end
  end
  return {args = args, keywords = keywords}
end

local function read_keras3_call(state, operation, data)
  if not is_plain(data.args) then
    errors.raise("the args of a call should be a list, got %s", errors.describe(data.args))
  end
  local args = {n = #data.args}
  for i = 1, args.n do
    local is_key = i == 2 and operation.op == "get_item"
    args[i] = is_key and slicing.key(data.args[i]) or read_argument(state, data.args[i])
  end
  return {args = args, keywords = is_plain(data.kwargs) and read_argument(state, data.kwargs) or {}}
end

local function collect_references(value, list)
  if is_reference(value) then list[#list + 1] = value
  elseif is_plain(value) then
    for _, item in pairs(value) do collect_references(item, list) end
  end
end

-- Classes whose `call` has no default for `training` in Keras, so that false is the user's own.
local without_default = {
  AdditiveAttention = true, Attention = true, BatchNormalization = true, Bidirectional = true,
  Dense = true, EinsumDense = true, GroupQueryAttention = true, Lambda = true,
  MultiHeadAttention = true, TimeDistributed = true,
}

-- Keras 3 writes the default of a layer's `call` as if the user had passed it; the model's own flag
-- takes precedence.
local function is_default_flag(operation, training)
  if operation.training_by_default then return true end
  local is_model = type(operation.fit) == "function"
  return training == false and not is_model and not without_default[operation.__name]
end

local function read_call(state, entry, data)
  local operation = entry.operation
  local is_keras3 = is_plain(data) and data.args ~= nil
  local call = is_keras3 and read_keras3_call(state, operation, data)
    or read_keras2_call(state, entry, data)
  if operation.leading then
    table.move(call.args, 1, call.args.n, 2)
    call.args[1], call.args.n = operation.leading, call.args.n + 1
  end
  if operation.attributes then
    operations.make_room(operation, call.args, call.keywords)
    for key, value in pairs(operation.attributes) do call.keywords[key] = value end
  end
  if is_keras3 and is_default_flag(operation, call.keywords.training) then
    call.keywords.training = nil
  end
  call.needs, call.met = {}, 0
  for i = 1, call.args.n do collect_references(call.args[i], call.needs) end
  collect_references(call.keywords, call.needs)
  return call
end

---------------------------------------------------------------- calling

local function fill(state, value)
  if is_reference(value) then return tensor_of(state, value) end
  if not is_plain(value) then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = fill(state, item) end
  return result
end

local function make_call(state, operation, call)
  local args, n = {}, call.args.n
  for i = 1, n do args[i] = fill(state, call.args[i]) end
  if next(call.keywords) ~= nil then
    n = n + 1
    args[n] = fill(state, call.keywords)
  end
  operation(table.unpack(args, 1, n))
end

--- The first missing input of a call; nil if the call can be made.
local function missing(state, call)
  while call.met < #call.needs do
    local need = call.needs[call.met + 1]
    if not state.operations[need.name].__own.nodes[need.node + 1] then return need end
    call.met = call.met + 1
  end
  return nil
end

local function key_of(name, node) return node .. "/" .. name end

--- Makes the calls of a layer as far as possible, wakes calls that wait for them, and waits for the
-- first missing input.
local function run_entry(state, entry, queue, waiting)
  while entry.calls[entry.next] do
    local call = entry.calls[entry.next]
    local need = missing(state, call)
    if need then
      local key = key_of(need.name, need.node)
      waiting[key] = waiting[key] or {}
      table.insert(waiting[key], entry)
      return
    end
    place.within(entry.where, entry.data, make_call, state, entry.operation, call)
    local key = key_of(entry.name, #entry.operation.__own.nodes - 1)
    for _, other in ipairs(waiting[key] or {}) do queue[#queue + 1] = other end
    waiting[key], entry.calls[entry.next], entry.next = nil, false, entry.next + 1
  end
end

local function make_calls(state, entries)
  local queue, waiting, at = table.move(entries, 1, #entries, 1, {}), {}, 1
  while queue[at] do
    run_entry(state, queue[at], queue, waiting)
    at = at + 1
  end
  local stuck = {}
  for _, entry in ipairs(entries) do
    if entry.calls[entry.next] and #stuck < 6 then stuck[#stuck + 1] = "'" .. entry.name .. "'" end
  end
  if #stuck > 0 then
    errors.raise(
      "the inputs of these layers cannot be made, since they depend on each other or on "
      .. "themselves: %s",
      table.concat(stuck, ", "))
  end
end

---------------------------------------------------------------- layers

local function read_layer(data)
  if not is_plain(data) then
    errors.raise("a layer should be a table, got %s", errors.describe(data))
  end
  if type(data.class_name) ~= "string" then
    errors.raise("class_name should be a string, got %s", errors.describe(data.class_name))
  end
  if tensorflow_operations.is_operation(data) then data = tensorflow_operations.upgrade(data) end
  if operations.is_operation(data) then return operations.read(data) end
  local layer = registry.deserialize(data, {module = "keras.layers", build = false})
  if type(layer) ~= "table" or not layer.__is_layer then
    errors.raise("'%s' is not a layer", data.class_name)
  end
  return layer
end

local function name_of(data, where)
  local name = data.name
  if name == nil and is_plain(data.config) then name = data.config.name end
  if type(name) ~= "string" then
    errors.raise("%s: the name of a layer should be a string, got %s", where, errors.describe(name))
  end
  return name
end

local function add_layer(state, entries, i, data)
  local where = ("layers[%d]"):format(i)
  local operation = place.within(where, data, read_layer, data)
  local name = name_of(data, where)
  if state.operations[name] then
    errors.raise("%s (%s): the name is used twice in this model", where, place.describe(data))
  end
  state.operations[name] = operation
  if keras2_graph.counts_itself(data) then state.offsets[name] = 1 end
  local calls = data.inbound_nodes
  if calls == nil or calls == null then return end
  if not is_plain(calls) then
    errors.raise("%s: inbound_nodes should be a list, got %s", where, errors.describe(calls))
  end
  if #calls == 0 then return end
  state.calls[name] = calls
  entries[#entries + 1] = {name = name, operation = operation, data = data, where = where, next = 1}
end

local function read_calls(state, entry)
  entry.calls = {}
  for i, data in ipairs(state.calls[entry.name]) do
    entry.calls[i] = place.within(entry.where, entry.data, read_call, state, entry, data)
  end
end

---------------------------------------------------------------- inputs and outputs

--- Keras 2 always writes a list of references; Keras 3 writes a single one for one tensor.
local function read_places(state, value, what, legacy)
  if is_plain(value) and type(value[1]) == "string" then
    local nested = state.operations[value[1]]
    local offset = legacy and state.offsets[value[1]]
      or nested and nested.__is_model and getmetatable(nested).__name ~= "Sequential"
      and type(value[2]) == "number" and value[2] > 0 and 1
    local at = reference(state, value[1], value[2], value[3], offset or nil)
    if not state.operations[at.name].__own.nodes[at.node + 1] then
      errors.raise("%s: the layer '%s' is never called", what, at.name)
    end
    return tensor_of(state, at)
  end
  if not is_plain(value) then
    errors.raise("%s should be a list of [layer, call, tensor], got %s", what,
      errors.describe(value))
  end
  local result = {}
  for key, item in pairs(value) do result[key] = read_places(state, item, what, legacy) end
  return result
end

local function is_legacy(config)
  for _, data in ipairs(config.layers) do
    local call = is_plain(data) and is_plain(data.inbound_nodes) and data.inbound_nodes[1]
    if call and not operations.is_operation(data) then
      return not is_plain(call) or call.args == nil
    end
  end
  return is_plain(config.input_layers) and type(config.input_layers[1]) ~= "string"
end

local function tensors(state, config, key, legacy)
  local value = read_places(state, config[key], key, legacy)
  if legacy and is_plain(value) and #value == 1 and next(value, 1) == nil then return value[1] end
  return value
end

local own_keys = {layers = true, input_layers = true, output_layers = true,
  build_input_shape = true, batch_input_shape = true}

--- Makes a model from its configuration.
-- @tparam table class the model's class
-- @tparam table config
-- @treturn Model
-- @raise naming the layer, if it is unknown or invalid, a name is used twice, or the graph is
-- incomplete
function functional_reader.read(class, config)
  if not is_plain(config.layers) then
    errors.raise("layers should be a list, got %s", errors.describe(config.layers))
  end
  local state, entries = {operations = {}, calls = {}, offsets = {}}, {}
  for i = 1, #config.layers do add_layer(state, entries, i, config.layers[i]) end
  for _, entry in ipairs(entries) do read_calls(state, entry) end
  make_calls(state, entries)
  local legacy = is_legacy(config)
  local arguments = {
    inputs = tensors(state, config, "input_layers", legacy),
    outputs = tensors(state, config, "output_layers", legacy),
  }
  for key, value in pairs(config) do
    if not own_keys[key] and value ~= null then arguments[key] = value end
  end
  return class(arguments)
end

return functional_reader
