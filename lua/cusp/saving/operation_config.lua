--- Operations in graphs: `ops.add(x, y)` on symbolic tensors, as Keras 3 writes it.
-- Tensors are among the arguments of the call; what is no tensor stands in the operation's configuration, axes counted from 0.
-- @module cusp.saving.operation_config
local Node = require "cusp.models.node"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local kinds = require "cusp.kinds"
local names = require "cusp.models.names"
local null = require "cusp.null"
local ordered = require "cusp.ordered"
local structure = require "cusp.models.structure"
local symbolic = require "cusp.models.symbolic"

local operation_config = {}
local is_symbolic, is_plain = Node.is_symbolic, kinds.is_plain

local schemas

--- The parameters of an operation; of the engine's rows and of those made in Lua.
local function schema_of(op)
  if not schemas then
    schemas = {}
    for _, row in ipairs(require("cusp.ops").describe()) do schemas[row.name] = row.arguments end
  end
  return schemas[op]
end

--- Adds what one table of arguments holds: names as they are, items by position.
local function add_table(named, schema, value, position)
  for key, item in pairs(value) do
    if type(key) == "string" then named[key] = item elseif schema[position + key] then named[schema[position + key].name] = item end
  end
end

--- An operation's arguments by name, whichever way they were given.
local function named_arguments(node)
  local schema = schema_of(node.operation.op)
  if not schema then return nil end
  local given, named, position = node.arguments, {}, 0
  for i = 1, given.n do
    local value = given[i]
    local keyed = is_plain(value) and not structure.is_list(value)
    local alone = i == given.n and is_plain(value) and (keyed or next(value, #value > 0 and #value or nil) ~= nil)
    if alone then
      add_table(named, schema, value, position)
    else
      position = position + 1
      if schema[position] then named[schema[position].name] = value end
    end
  end
  return named, schema
end

local tensor_kinds = { tensor = true, tensors = true }
local axis_kinds = { axis = true, axes = true }

local function add_named(config, args, named, schema, serialize)
  for _, parameter in ipairs(schema) do
    local value = named[parameter.name]
    if value ~= nil then
      if tensor_kinds[parameter.kind] or structure.find(value, is_symbolic) then
        args[#args + 1] = serialize(value)
      else
        ordered.set(config, parameter.name, axis_kinds[parameter.kind] and kinds.to_config({ "axis", parameter.kind }, value) or value)
      end
    end
  end
end

--- The form of an operation and its call.
-- @tparam table node the call
-- @tparam function serialize gives the form of an argument
function operation_config.of(node, serialize)
  local operation, args = node.operation, {}
  local config = ordered.object({ name = operation.name }, { "name" })
  local named, schema = named_arguments(node)
  if named then add_named(config, args, named, schema, serialize)
  else
    for i = 1, node.arguments.n do args[i] = serialize(node.arguments[i]) end
  end
  return ordered.object({
    module = named and "keras.src.ops" or "cusp.ops", class_name = operation.class_name, config = config,
    registered_name = operation.class_name, name = operation.name,
    inbound_nodes = { ordered.object({ args = args, kwargs = ordered.object() }, { "args", "kwargs" }) },
  }, { "module", "class_name", "config", "registered_name", "name", "inbound_nodes" })
end

--- Whether a form is an operation's.
function operation_config.is_operation(data)
  return type(data.module) == "string" and data.module:find "%.ops" ~= nil
end

local function find_method(op)
  if op == "get_item" then return function(tensor, index) return tensor[index] end end
  local method = engine.tensor_methods[op]
  return not require("cusp.ops")[op] and method or nil
end

--- An operation from its form; what is no tensor is in its field `attributes`, axes counted from 1.
-- @tparam table data
-- @raise for one that is not known
function operation_config.read(data)
  local config = is_plain(data.config) and data.config or {}
  local op = names.snake_case(data.class_name)
  local operation = symbolic.Operation.new(op, find_method(op), type(config.name) == "string" and config.name or nil)
  local by_name = {}
  for _, parameter in ipairs(schema_of(op) or {}) do by_name[parameter.name] = parameter end
  operation.attributes = {}
  for key, value in pairs(config) do
    local parameter = by_name[key]
    if parameter and value ~= null then
      operation.attributes[key] = axis_kinds[parameter.kind] and kinds.from_config({ key, parameter.kind }, value) or value
    end
  end
  return operation
end

return operation_config
