--- Copies of models: new layers from the old ones' configurations, with new weights.
-- @module cusp.models.clone
local Object = require "cusp.class"
local arguments = require "cusp.arguments"
local errors = require "cusp.errors"
local registry = require "cusp.registry"
local structure = require "cusp.models.structure"

local function clone_layer(layer)
  local class = getmetatable(layer)
  return class:from_config(layer:get_config())
end

local function clone_stack(model, clone)
  local layers = {}
  for i, layer in ipairs(model._stack) do layers[i] = clone(layer) end
  local copy = getmetatable(model) {name = model.name}
  for _, layer in ipairs(layers) do copy:add(layer) end
  return copy
end

local function clone_inputs(graph, clone, given, values)
  local new = given and structure.flatten(given)
  if new and #new ~= #graph.inputs then
    errors.raise("clone_model: expected %d input tensors, got %d", #graph.inputs, #new)
  end
  for i, tensor in ipairs(graph.inputs) do
    values[tensor] = new and new[i] or clone(tensor._history.operation).output
  end
end

local function clone_graph(model, clone, given)
  local graph, values, copies = model._graph, {}, {}
  clone_inputs(graph, clone, given, values)
  for _, step in ipairs(graph.steps) do
    local operation = step.operation
    if operation.__is_layer then
      copies[operation] = copies[operation] or clone(operation)
      operation = copies[operation]
    end
    local args, keywords = step.node:fill(function(tensor) return values[tensor] end)
    if keywords then
      args.n = args.n + 1
      args[args.n] = keywords
    end
    local results = structure.flatten {operation(table.unpack(args, 1, args.n))}
    for i, tensor in ipairs(step.outputs) do values[tensor] = results[i] end
  end
  local function new(tensor) return values[tensor] end
  return getmetatable(model) {
    inputs = structure.map(graph.input_structure, new), outputs = structure.map(graph.output_structure, new), name = model.name,
  }
end

local parameters = {
  {"model", "any"}, {"input_tensors", "any", optional = true}, {"clone_function", "function", optional = true},
}

--- A copy of a model with the same layers and new weights.
-- @tparam Model model
-- @param[opt] input_tensors symbolic tensors to build a functional copy on
-- @tparam[opt] function clone_function gets each layer and returns its copy; by default it is made from its configuration
-- @treturn Model
return function(...)
  local model, input_tensors, clone_function = arguments.bind("clone_model", parameters, false, ...)
  if not Object.is_instance(model) or not model.__is_model then
    errors.raise("clone_model: expected a model, got %s", errors.describe(model))
  end
  local clone = clone_function or clone_layer
  if rawget(model, "_stack") then return clone_stack(model, clone) end
  if rawget(model, "_graph") then return clone_graph(model, clone, input_tensors) end
  return registry.deserialize(registry.serialize(model))
end
