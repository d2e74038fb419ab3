--- Operations in graphs: `ops.add(x, y)` on symbolic tensors, in Keras 3's form. Tensors are
-- arguments of the call; all other arguments are in the operation's configuration, with axes
-- counted from 0.
-- @module cusp.saving.shared.operations
local Node = require "cusp.symbolic.node"
local engine = require "cusp.engine"
local kinds = require "cusp.base.kinds"
local names = require "cusp.base.names"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local shapes = require "cusp.base.shape"
local slicing = require "cusp.saving.shared.slicing"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"

local operations = {}
local is_symbolic, is_plain = Node.is_symbolic, kinds.is_plain

local schemas

--- The parameters of an operation, from the engine's rows or from Lua.
local function schema_of(op)
  local ops = require "cusp.ops"
  local image = op:match "^image%.(.+)$"
  if image and ops.image[image] and not (schemas and schemas[op]) then schemas = nil end
  schemas = schemas or ops.describe()
  return schemas[op] and schemas[op].arguments
end

--- Adds the contents of one table of arguments: names unchanged, items by position.
local function add_table(named, schema, value, position)
  for key, item in pairs(value) do
    if type(key) == "string" then
      named[key] = item
    elseif schema[position + key] then
      named[schema[position + key].name] = item
    end
  end
end

--- An operation's arguments by name, however they were given.
local function named_arguments(node)
  local schema = schema_of(node.operation.op)
  if not schema or #schema == 0 then return nil, schema end
  local given, named, position = node.arguments, {}, 0
  for i = 1, given.n do
    local value = given[i]
    local keyed = is_plain(value) and not structure.is_list(value)
    local alone = i == given.n and is_plain(value)
      and (keyed or next(value, #value > 0 and #value or nil) ~= nil)
    if alone then
      add_table(named, schema, value, position)
    else
      position = position + 1
      if schema[position] then named[schema[position].name] = value end
    end
  end
  return named, schema
end

local tensor_kinds = {tensor = true, tensors = true}
local axis_kinds = {axis = true, axes = true}

-- Where Keras 3 keeps the classes of operations outside `numpy`, and looks for them.
local modules = {}
for module, ops in pairs{
  core = "cast convert_to_tensor saturate_cast scatter scatter_update slice slice_update "
    .. "stop_gradient unstack",
  nn = "adaptive_average_pool adaptive_max_pool average_pool binary_crossentropy "
    .. "categorical_crossentropy celu conv conv_transpose "
    .. "depth_to_space depthwise_conv dot_product_attention elu fold gelu glu hard_shrink "
      .. "hard_sigmoid hard_silu hard_tanh leaky_relu "
    .. "log_sigmoid log_softmax max_pool moments multi_hot normalize one_hot relu relu6 selu "
      .. "separable_conv sigmoid silu soft_shrink "
    .. "softmax softplus softsign space_to_depth sparse_categorical_crossentropy sparse_plus "
      .. "sparse_sigmoid sparsemax squareplus "
    .. "tanh_shrink threshold unfold",
  linalg = "cholesky cholesky_inverse det eigh inv lstsq lu_factor matrix_rank norm pinv qr solve "
    .. "solve_triangular",
  math = "fft fft2 ifft2 rfft irfft stft istft "
    .. "erf erfc erfinv extract_sequences in_top_k logdet logsumexp rsqrt segment_max "
    .. "segment_min segment_prod segment_sum top_k",
  einops = "rearrange",
} do
  for op in ops:gmatch "%S+" do modules[op] = module end
end

--- The position in `t[i]`, which Keras counts from 0, is not a setting of the operation.
local function serialize_key(value, tensor)
  if is_plain(value) then value = slicing.key_of_ranges(value, tensor.ndim) end
  if slicing.is_key(value) then return slicing.form(value, true) end
  return math.type(value) == "integer" and kinds.axis_to_config(value) or value
end

-- Numbers that Keras has in the configuration, though they could be tensors.
local settings = {clip = {x_min = true, x_max = true}, ["repeat"] = {repeats = true},
  repeat_ = {repeats = true}}

local function is_setting(op, name, value)
  return type(value) == "number" and settings[op] ~= nil and settings[op][name] == true
end

-- A new shape with a size that is known only when the model runs, which is -1 in a file; the others
-- are then those of the result.
local function known_sizes(shape, node)
  if not is_plain(shape) then return shape end
  local of_result, unknown, result = node.output_tensors[1].shape, 0, {}
  for i = 1, #shape do unknown = unknown + (shape[i] == shapes.None and 1 or 0) end
  if unknown ~= 1 then return shape end
  for i = 1, #shape do
    result[i] = shape[i] == shapes.None and -1 or shape[i] == -1 and of_result[i] or shape[i]
  end
  return result
end

local function add_named(config, args, named, schema, serialize, node)
  local op = node.operation.op
  for _, parameter in ipairs(schema) do
    local value = named[parameter.name]
    if value ~= nil then
      if op == "get_item" and parameter.name == "key" then
        args[#args + 1] = serialize_key(value, named.x)
      elseif tensor_kinds[parameter.kind] and not is_setting(op, parameter.name, value)
        or structure.find(value, is_symbolic) then
        args[#args + 1] = serialize(value)
      else
        if op == "reshape" then value = known_sizes(value, node) end
        ordered.set(config, parameter.name,
          axis_kinds[parameter.kind] and kinds.to_config({"axis", parameter.kind}, value) or value)
      end
    end
  end
end

-- The arguments of an operation that no signature describes, as they were given. Keras has the
-- formula of einsum in the configuration.
local function add_given(config, args, kwargs, node, serialize)
  for i = 1, node.arguments.n do
    local value = node.arguments[i]
    if i == 1 and node.operation.op == "einsum" then ordered.set(config, "subscripts", value)
    elseif i == node.arguments.n and is_plain(value) and #value == 0 then
      for _, key in ipairs(structure.keys(value)) do
        ordered.set(kwargs, key, serialize(value[key]))
      end
    else args[#args + 1] = serialize(value) end
  end
end

local function module_of(op) return op:match "^(.+)%." or modules[op] or "numpy" end

--- The form of an operation and its call.
-- @tparam table node the call
-- @tparam function serialize returns the form of an argument
function operations.of(node, serialize)
  local operation, args, kwargs = node.operation, {}, ordered.object()
  local config = ordered.object({name = operation.name}, {"name"})
  local named, schema = named_arguments(node)
  if named then add_named(config, args, named, schema, serialize, node)
  else
    add_given(config, args, kwargs, node, serialize)
  end
  return ordered.object({
    module = schema and "keras.src.ops." .. module_of(operation.op) or "cusp.ops",
    class_name = operation.class_name, config = config, registered_name = operation.class_name,
    name = operation.name,
    inbound_nodes = {ordered.object({args = args, kwargs = kwargs}, {"args", "kwargs"})},
  }, {"module", "class_name", "config", "registered_name", "name", "inbound_nodes"})
end

--- Whether a form is an operation's.
function operations.is_operation(data)
  return type(data.module) == "string" and data.module:find "%.ops" ~= nil
end

local function find_method(op)
  if op == "get_item" then
    return function(tensor, key)
      if slicing.is_key(key) then return slicing.take(tensor, key) end
      return tensor[kinds.axis_from_config(key)]
    end
  end
  local method = engine.tensor_methods[op]
  return not require("cusp.ops")[op] and method or nil
end

--- Converts an argument to Lua's counting, if it is an axis.
-- @tparam string op
-- @tparam string name of the argument
-- @param value from a file
function operations.count_from_one(op, name, value)
  for _, parameter in ipairs(schema_of(op) or {}) do
    if parameter.name == name and axis_kinds[parameter.kind] then
      return kinds.from_config({name, parameter.kind}, value)
    end
  end
  return value
end

--- Moves arguments by position to where they belong when others, which come before them, are in the
-- configuration.
-- @tparam Operation operation as from `operations.read`
-- @tparam table args by position, with `n`; changed
-- @tparam table keywords changed
function operations.make_room(operation, args, keywords)
  local schema, free = schema_of(operation.op), {}
  for i, parameter in ipairs(schema or {}) do
    if operation.attributes[parameter.name] == nil then free[#free + 1] = {i, parameter.name} end
  end
  for i = args.n, 1, -1 do
    local place = free[i]
    if place and place[1] ~= i then
      keywords[place[2]], args[i], args.n = args[i], nil, args.n - 1
    end
  end
end

-- Operations whose names Keras's classes do not tell.
local ours = {search_sorted = "searchsorted", extract_patches3d = "extract_patches_3d"}

-- The name of the operation of a form, and what computes it where that is not found by its name.
local function find_operation(data)
  local op = names.snake_case(data.class_name)
  op = ours[op] or op
  if not data.module:find "%.image$" then return op, find_method(op) end
  local image = require("cusp.ops").image
  return "image." .. op, image[op]
end

--- Makes an operation from its form; non-tensor arguments are in its field `attributes`, with axes
-- counted from 1.
-- @tparam table data
-- @raise for an unknown operation
function operations.read(data)
  local config = is_plain(data.config) and data.config or {}
  local op, run = find_operation(data)
  local operation = symbolic.Operation.new(op, run,
    type(config.name) == "string" and config.name or nil)
  if op == "einsum" then operation.leading = config.subscripts end
  local by_name = {}
  for _, parameter in ipairs(schema_of(op) or {}) do by_name[parameter.name] = parameter end
  operation.attributes = {}
  for key, value in pairs(config) do
    local parameter = by_name[key]
    if parameter and value ~= null then
      operation.attributes[key] = axis_kinds[parameter.kind]
        and kinds.from_config({key, parameter.kind}, value) or value
    end
  end
  return operation
end

return operations
