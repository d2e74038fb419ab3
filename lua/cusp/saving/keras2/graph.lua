--- Models in TF 2.0's form: graphs, with calls as lists `[layer, call, tensor, keywords]`, and
-- stacks.
-- @module cusp.saving.keras2.graph
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local operations = require "cusp.saving.shared.operations"
local ordered = require "cusp.base.ordered"
local parameters = require "cusp.saving.shared.call_parameters"
local registry = require "cusp.base.registry"
local tensorflow_operations = require "cusp.saving.keras2.tensorflow_operations"

local keras2_graph = {}
local is_plain = kinds.is_plain

---------------------------------------------------------------- calls counted from 1

--- Whether a serialised model counted its own making as its first call in Keras 2: graphs do, and
-- stacks that know their input.
-- @tparam table node of either generation
function keras2_graph.counts_itself(node)
  local config = node.config
  if not is_plain(config) or not is_plain(config.layers or config) then return false end
  if is_plain(config.input_layers) then return true end
  if node.class_name ~= "Sequential" then return false end
  local first = (config.layers or config)[1]
  if not is_plain(first) or not is_plain(first.config) then return false end
  return first.class_name == "InputLayer" or is_plain(first.config.batch_input_shape)
    or keras2_graph.counts_itself(first)
end

---------------------------------------------------------------- writing graphs

local function is_tensor(value)
  return is_plain(value) and value.class_name == "__keras_tensor__"
end

local function place_of(history, offsets)
  return {history[1], history[2] + (offsets[history[1]] or 0), history[3]}
end

--- Keywords: tensors as places, nothing for what is null.
local function write_keywords(value, offsets, convert, state)
  if is_tensor(value) then return place_of(value.config.keras_history, offsets) end
  if not is_plain(value) then return value end
  if value.class_name ~= nil then return convert(value, state) end
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = write_keywords(item, offsets, convert, state) end
  return result
end

local function write_inputs(value, keywords, offsets)
  if is_tensor(value) then
    local place = place_of(value.config.keras_history, offsets)
    place[4] = keywords
    return place
  end
  if not is_plain(value) then return {"_CONSTANT_VALUE", -1, value, keywords} end
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = write_inputs(item, keywords, offsets) end
  return result
end

local function write_call(call, node, offsets, convert, state)
  local keywords = ordered.object()
  for i = 2, #call.args do
    local name = parameters.name(registry.origin(node), node.class_name, i)
    if call.args[i] ~= null then
      ordered.set(keywords, name, write_keywords(call.args[i], offsets, convert, state))
    end
  end
  for _, key in ipairs(ordered.keys(call.kwargs)) do
    if call.kwargs[key] ~= null then
      ordered.set(keywords, key, write_keywords(call.kwargs[key], offsets, convert, state))
    end
  end
  local inputs = write_inputs(call.args[1], keywords, offsets)
  return is_tensor(call.args[1]) and {inputs} or inputs
end

local function assemble(node, written, calls)
  local result = ordered.object({name = node.name}, {"name"})
  for _, key in ipairs(ordered.keys(written)) do ordered.set(result, key, written[key]) end
  ordered.set(result, "inbound_nodes", calls)
  return result
end

--- Operations are written as tf.keras has them since 2.4, or as Keras 3 has them: TF 2.0 wrote
-- nodes of TensorFlow's graphs, which only TensorFlow can run.
local function write_operation(node, offsets, convert, state)
  local written, call = tensorflow_operations.of(node)
  if not written then return node end
  local calls = write_call(call, node, offsets, convert, state)
  return assemble(node, written, #calls == 1 and is_plain(calls[1]) and {calls[1]} or {calls})
end

local function write_layer(node, offsets, convert, state)
  if operations.is_operation(node) then return write_operation(node, offsets, convert, state) end
  local calls, written = {}, convert(node, state)
  for i, call in ipairs(node.inbound_nodes) do
    calls[i] = write_call(call, node, offsets, convert, state)
  end
  return assemble(node, written, calls)
end

local function is_place(value)
  return is_plain(value) and type(value[1]) == "string" and math.type(value[2]) == "integer"
end

--- Keras 3 counts a nested graph as Keras 2 does in the list of outputs, and a nested stack
-- otherwise.
local function write_places(value, offsets, stacks)
  if is_place(value) then
    return {value[1], value[2] + (stacks[value[1]] and offsets[value[1]] or 0), value[3]}
  end
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = write_places(item, offsets, stacks) end
  return result
end

--- A graph of symbolic tensors.
function keras2_graph.write_functional(node, convert, state)
  local config, offsets, stacks, layers = node.config, {}, {}, {}
  for _, layer in ipairs(config.layers) do
    local has_input = state.input_layers or not keras2_graph.is_deferred(layer)
    if has_input and keras2_graph.counts_itself(layer) then
      offsets[layer.name] = 1
    end
    stacks[layer.name] = layer.class_name == "Sequential"
  end
  for i, layer in ipairs(config.layers) do
    layers[i] = write_layer(layer, offsets, convert, state)
  end
  local function places(value)
    local written = write_places(value, offsets, stacks)
    return is_place(value) and {written} or written
  end
  local result = ordered.object({
    name = config.name, layers = layers, input_layers = places(config.input_layers),
    output_layers = places(config.output_layers),
  }, {"name", "layers", "input_layers", "output_layers"})
  local class = node.class_name == "Functional" and "Model" or node.class_name
  return ordered.object({class_name = class, config = result}, {"class_name", "config"})
end

---------------------------------------------------------------- writing stacks

--- Whether a stack was made without saying what comes in, so that TF 2.0 would note the shape that
-- it was built for.
function keras2_graph.is_deferred(node)
  local model = registry.origin(node)
  return model ~= nil and model.__own.deferred == true
end

--- Whether the first layer's shape says all about the input: where its dtype is the one that would
-- be taken anyway.
local function first_layer_tells(input, second)
  if not second or keras2_graph.counts_itself(second) then return false end
  local layer = registry.origin(second)
  return input.config.dtype == (layer and (layer.input_dtype or layer.compute_dtype) or "float32")
end

--- The shape of the input where TF 2.0's layers have it if they were given one.
local function with_batch_shape(config, shape)
  if config.batch_input_shape ~= nil then return config end
  local keys = ordered.keys(config)
  local at = keys[2] == "trainable" and 3 or 1
  table.insert(keys, at, "batch_input_shape")
  config.batch_input_shape = shape
  return ordered.object(config, keys)
end

local function write_stack(node, convert, state)
  local list, layers = node.config.layers, {}
  local input = list[1] and list[1].class_name == "InputLayer" and list[1] or nil
  for i, layer in ipairs(list) do layers[i] = convert(layer, state) end
  if not input or state.input_layers then return layers end
  if keras2_graph.is_deferred(node) then
    table.remove(layers, 1)
  elseif first_layer_tells(input, list[2]) then
    table.remove(layers, 1)
    layers[1].config = with_batch_shape(layers[1].config, input.config.batch_shape)
  end
  return layers
end

--- A stack of layers.
function keras2_graph.write_sequential(node, convert, state)
  local config = node.config
  local result = ordered.object({name = config.name, layers = write_stack(node, convert, state)},
    {"name", "layers"})
  if keras2_graph.is_deferred(node) and not state.input_layers
    and is_plain(config.build_input_shape) then
    ordered.set(result, "build_input_shape", config.build_input_shape)
  end
  return ordered.object({class_name = node.class_name, config = result}, {"class_name", "config"})
end

return keras2_graph
