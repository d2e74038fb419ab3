--- Copies models: new layers from the configurations of the old ones, with new weights.
-- @module cusp.models.clone
local InputLayer = require "cusp.layers.core.input_layer"
local Node = require "cusp.symbolic.node"
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"

local clone_model

local function clone_layer(layer)
  return getmetatable(layer):from_config(layer:get_config())
end

local function is_cloneable(layer)
  return layer.__own.stack ~= nil or layer.__own.graph ~= nil
end

--- Copies a layer once, however often it is called, in nested models too.
local function copy_of(options, layer)
  local copies = options.copies
  if copies[layer] then return copies[layer] end
  local copy
  if Object.is_instance(layer, InputLayer) then
    copy = clone_layer(layer)
  elseif options.recursive and layer.__is_model and is_cloneable(layer) then
    copy = clone_model(layer, options)
  else
    copy = (options.clone_function or clone_layer)(layer)
  end
  if type(copy) ~= "table" or not copy.__is_layer then
    errors.raise("clone_model: clone_function should return a layer for '%s', got %s", layer.name,
      errors.describe(copy))
  end
  copies[layer] = copy
  return copy
end

--- The symbolic tensors to build on, one per model input.
local function check_inputs(given, count)
  if given == nil then return nil end
  local flat = Node.is_symbolic(given) and {given} or structure.flatten(given)
  if #flat ~= count then
    errors.raise("clone_model: expected %d input tensor%s, got %d", count, count == 1 and "" or "s",
      #flat)
  end
  for i, tensor in ipairs(flat) do
    if not Node.is_symbolic(tensor) then
      errors.raise(
        "clone_model: input_tensors[%d] should be symbolic, as returned by cusp.Input; got %s", i,
        errors.describe(tensor))
    end
  end
  return flat
end

local function clone_stack(model, options, given)
  local tensors = check_inputs(given, 1)
  local copy = getmetatable(model){name = model.name}
  if tensors then copy:add(tensors[1]) end
  for _, layer in ipairs(model.__own.stack) do
    local is_input = Object.is_instance(layer, InputLayer)
    if not (is_input and (tensors or model.__own.deferred)) then
      copy:add(copy_of(options, layer))
    end
  end
  return copy
end

local function call(options, operation, node, values)
  local args, keywords = node:fill(function(tensor) return values[tensor] end)
  if keywords then
    args.n = args.n + 1
    args[args.n] = keywords
  end
  if options.call_function then
    return options.call_function(operation, table.unpack(args, 1, args.n))
  end
  return operation(table.unpack(args, 1, args.n))
end

local function clone_graph(model, options, given)
  local graph, values = model.__own.graph, {}
  local tensors = check_inputs(given, #graph.inputs)
  for i, tensor in ipairs(graph.inputs) do
    values[tensor] = tensors and tensors[i] or copy_of(options, tensor._history.operation).output
  end
  for _, step in ipairs(graph.steps) do
    local operation = step.operation
    if operation.__is_layer then operation = copy_of(options, operation) end
    local results = structure.flatten{call(options, operation, step.node, values)}
    for i, tensor in ipairs(step.outputs) do values[tensor] = results[i] end
  end
  local function new(tensor) return values[tensor] end
  return getmetatable(model){
    inputs = structure.map(graph.input_structure, new),
    outputs = structure.map(graph.output_structure, new), name = model.name,
  }
end

--- Copies a model of a user's class by its configuration.
local function clone_custom(model, options, given)
  for name, value in pairs{input_tensors = given, clone_function = options.clone_function,
    call_function = options.call_function} do
    if value ~= nil then
      errors.raise("clone_model: %s is for Sequential and functional models; '%s' is a %s", name,
        model.name, getmetatable(model).__name)
    end
  end
  local class = getmetatable(model)
  return registry.deserialize(registry.serialize(model),
    {custom_objects = {[class.__name] = class}})
end

function clone_model(model, options, given)
  if model.__own.stack then return clone_stack(model, options, given) end
  if model.__own.graph then return clone_graph(model, options, given) end
  return clone_custom(model, options, given)
end

local parameters = {
  {"model", "any"}, {"input_tensors", "any", optional = true},
  {"clone_function", "function", optional = true},
  {"call_function", "function", optional = true}, {"recursive", "boolean", default = false},
}

--- Copies a model: the same layers with new weights.
-- @tparam Model model
-- @param[opt] input_tensors symbolic tensors to build a copy on
-- @tparam[opt] function clone_function receives each layer except inputs and returns its copy; the
-- default uses its configuration
-- @tparam[opt] function call_function receives each layer's copy and its call arguments and returns
-- the outputs; the default calls it
-- @tparam[opt=false] boolean recursive whether to copy models among the layers layer by layer too
-- @treturn Model
-- @raise if further arguments are given for a model of a user's class
-- @usage
-- local function same(layer) return layer end
-- local copy = cusp.models.clone_model(model, {clone_function = same}) -- shares the layers
return function(...)
  local model, input_tensors, clone_function, call_function,
    recursive = arguments.bind("clone_model", parameters, false, ...)
  if not Object.is_instance(model) or not model.__is_model then
    errors.raise("clone_model: expected a model, got %s", errors.describe(model))
  end
  if call_function and model.__own.stack then
    errors.raise(
      "clone_model: call_function is for functional models; the layers of the Sequential '%s' are "
      .. "listed, not called",
      model.name)
  end
  local options = {clone_function = clone_function, call_function = call_function,
    recursive = recursive, copies = {}}
  return clone_model(model, options, input_tensors)
end
