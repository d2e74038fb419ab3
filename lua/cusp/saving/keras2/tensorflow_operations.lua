--- Operations in graphs as tf.keras 2.4 to 2.15 has them: layers of class TFOpLambda with the name
-- of one of TensorFlow's functions. What stands in the table here is read and written so; other
-- operations of this program are written as Keras 3 has them.
-- @module cusp.saving.keras2.tensorflow_operations
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local names = require "cusp.base.names"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local slicing = require "cusp.saving.shared.slicing"

local tensorflow_operations = {}
local is_plain = kinds.is_plain

-- TensorFlow's function → our operation, then the names of TensorFlow's further arguments: those
-- after the first by position, and "theirs = ours" for those with a name. Axes count from 0 on both
-- sides of a file.
local functions = {
  ["__operators__.getitem"] = {"get_item", "slice_spec"},
  ["__operators__.add"] = {"add", "y"}, ["math.add"] = {"add", "y"},
  ["math.subtract"] = {"subtract", "y"},
  ["math.multiply"] = {"multiply", "y"}, ["math.truediv"] = {"divide", "y"},
  ["math.divide"] = {"divide", "y"},
  ["math.pow"] = {"power", "y"}, ["math.maximum"] = {"maximum", "y"},
  ["math.minimum"] = {"minimum", "y"},
  ["math.negative"] = {"negative"}, ["math.abs"] = {"abs"}, ["math.exp"] = {"exp"},
  ["math.log"] = {"log"},
  ["math.sqrt"] = {"sqrt"}, ["math.square"] = {"square"}, ["math.sigmoid"] = {"sigmoid"},
  ["math.tanh"] = {"tanh"},
  ["math.sin"] = {"sin"}, ["math.cos"] = {"cos"}, ["math.softplus"] = {"softplus"},
  ["nn.relu"] = {"relu"},
  ["nn.softmax"] = {"softmax", axis = "axis"}, ["nn.gelu"] = {"gelu", approximate = "approximate"},
  ["math.reduce_mean"] = {"mean", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_sum"] = {"sum", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_max"] = {"max", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_min"] = {"min", axis = "axis", keepdims = "keepdims"},
  ["concat"] = {"concatenate", axis = "axis"}, ["stack"] = {"stack", axis = "axis"},
  ["reshape"] = {"reshape", shape = "newshape"},
  ["compat.v1.transpose"] = {"transpose", perm = "axes"},
  ["expand_dims"] = {"expand_dims", axis = "axis"},
  ["compat.v1.squeeze"] = {"squeeze", axis = "axis"},
  ["cast"] = {"cast", dtype = "dtype"}, ["linalg.matmul"] = {"matmul", "b"},
  ["math.argmax"] = {"argmax", axis = "axis"}, ["math.argmin"] = {"argmin", axis = "axis"},
  ["clip_by_value"] = {"clip", "clip_value_min", "clip_value_max"},
  ["where"] = {"where", "x", "y"}, ["one_hot"] = {"one_hot", depth = "num_classes"},
  ["tile"] = {"tile", multiples = "repeats"}, ["reverse"] = {"flip", axis = "axis"},
  ["gather"] = {"take", "indices", axis = "axis"},
  ["compat.v1.gather"] = {"take", "indices", axis = "axis"},
  ["math.l2_normalize"] = {"normalize", axis = "axis"},
  ["math.reduce_prod"] = {"prod", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_std"] = {"std", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_variance"] = {"var", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_any"] = {"any", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_all"] = {"all", axis = "axis", keepdims = "keepdims"},
  ["math.reduce_logsumexp"] = {"logsumexp", axis = "axis", keepdims = "keepdims"},
  ["math.cumsum"] = {"cumsum", axis = "axis"},
  ["nn.leaky_relu"] = {"leaky_relu", alpha = "negative_slope"},
  ["nn.log_softmax"] = {"log_softmax", axis = "axis"},
  ["split"] = {"split", num_or_size_splits = "indices_or_sections", axis = "axis"},
  ["compat.v1.pad"] = {"pad", paddings = "pad_width", mode = "mode",
    constant_values = "constant_values"},
}

-- Functions of one tensor, or of two, whose other name is all that differs.
for name, op in pairs{
  ["zeros_like"] = "zeros_like", ["ones_like"] = "ones_like", ["stop_gradient"] = "stop_gradient",
  ["math.log1p"] = "log1p", ["math.expm1"] = "expm1", ["math.floor"] = "floor",
  ["math.ceil"] = "ceil", ["math.round"] = "round", ["math.sign"] = "sign", ["math.erf"] = "erf",
  ["math.rsqrt"] = "rsqrt", ["math.reciprocal"] = "reciprocal", ["math.sinh"] = "sinh",
  ["math.cosh"] = "cosh", ["math.tan"] = "tan", ["math.atan"] = "arctan",
  ["math.logical_not"] = "logical_not", ["math.log_sigmoid"] = "log_sigmoid",
  ["nn.relu6"] = "relu6", ["nn.elu"] = "elu", ["nn.selu"] = "selu", ["nn.silu"] = "silu",
  ["nn.softsign"] = "softsign",
} do
  functions[name] = {op}
end
functions["compat.v1.floor_div"] = {"floor_divide", "y"}
for name, op in pairs{
  greater = "greater", greater_equal = "greater_equal", less = "less", less_equal = "less_equal",
  equal = "equal", not_equal = "not_equal", floordiv = "floor_divide", floormod = "mod",
  logical_and = "logical_and", logical_or = "logical_or", atan2 = "arctan2",
} do
  functions["math." .. name] = {op, "y"}
end

-- What TensorFlow takes for an argument that is not given, where Keras's operation takes another.
local defaults = {
  ["nn.gelu"] = {approximate = false}, ["math.argmax"] = {axis = 0}, ["math.argmin"] = {axis = 0},
  ["math.cumsum"] = {axis = 0}, ["gather"] = {axis = 0}, ["compat.v1.gather"] = {axis = 0},
}

-- Sizes of parts as the places between them.
local function places_of(sizes)
  if not is_plain(sizes) then return sizes end
  local places, sum = {}, 0
  for i = 1, #sizes - 1 do
    if math.type(sizes[i]) ~= "integer" or sizes[i] < 0 then
      errors.raise("split: the sizes should be integers of 0 or more, got %s",
        errors.describe(sizes[i]))
    end
    sum = sum + sizes[i]
    places[i] = sum
  end
  return places
end

local function unless_zero(value) if value ~= 0 then return value end end

-- Values that mean the same in another form; such operations are written in Keras 3's form.
local converters = {
  ["gather"] = {batch_dims = unless_zero}, ["compat.v1.gather"] = {batch_dims = unless_zero},
  ["split"] = {num_or_size_splits = places_of},
  ["compat.v1.pad"] = {
    mode = function(mode) return plain.lower(tostring(mode)) end,
    constant_values = unless_zero,
  },
}

-- our operation → TensorFlow's function; of several the first in the alphabet
local function_of = {}
do
  local function is_simple(name) return not converters[name] end
  for _, name in ipairs(lists.keys(functions, is_simple)) do
    local op = functions[name][1]
    function_of[op] = function_of[op] or name
  end
end

---------------------------------------------------------------- reading

--- Whether a form is one of these layers.
function tensorflow_operations.is_operation(data)
  return data.class_name == "TFOpLambda" or data.class_name == "SlicingOpLambda"
end

--- The form of Keras 3 of the operation, without its calls.
-- @raise for a function that is not known
function tensorflow_operations.upgrade(data)
  local config = is_plain(data.config) and data.config or {}
  local known = functions[config["function"]]
  if not known then
    errors.raise("TensorFlow's function %s is not known here%s",
      errors.describe(config["function"]),
      errors.suggestion(config["function"], functions))
  end
  return {class_name = known[1], module = "keras.src.ops", config = {name = config.name}}
end

local says_nothing = {name = true, conjugate = true}

--- The arguments of a call after the first, by position and by name.
-- @tparam table data the layer's form
-- @tparam table keywords TensorFlow's, tensors among them or references to such
-- @tparam function axis_of turns a named argument of the operation from Keras's counting into Lua's
-- @treturn table
-- @treturn table
function tensorflow_operations.arguments(data, keywords, axis_of)
  local name = data.config["function"]
  local known, positional, named = functions[name], {}, {}
  for key, value in pairs(defaults[name] or {}) do
    if keywords[key] == nil then keywords[key] = value end
  end
  for key, convert in pairs(converters[name] or {}) do
    if keywords[key] ~= nil then keywords[key] = convert(keywords[key]) end
  end
  for i = 2, #known do
    positional[i - 1], keywords[known[i]] = keywords[known[i]], nil
  end
  for key, value in pairs(keywords) do
    local own = type(key) == "string" and known[key]
    if own then named[own] = axis_of(own, value)
    elseif not says_nothing[key] and value ~= false then
      errors.raise("the argument '%s' of TensorFlow's function %s is not known here", tostring(key),
        name)
    end
  end
  return positional, named
end

---------------------------------------------------------------- writing

local function named_keywords(node, name, keywords)
  local known = functions[name]
  local theirs = {}
  for key, own in pairs(known) do
    if type(key) == "string" then theirs[own] = key end
  end
  for _, key in ipairs(ordered.keys(node.config)) do
    if key ~= "name" then
      if not theirs[key] then return nil end
      ordered.set(keywords, theirs[key], node.config[key])
    end
  end
  return keywords
end

local function is_float(value)
  return is_plain(value) and is_plain(value.config) and type(value.config.dtype) == "string"
    and value.config.dtype:find "float" ~= nil
end

-- Constants are plain numbers in tf.keras.
local function plain_constant(value)
  if not is_plain(value) then return value end
  if value.class_name == "__tensor__" then return value.config.value end
  if value.class_name ~= nil or #value == 0 then return value end
  local result = {}
  for i = 1, #value do result[i] = plain_constant(value[i]) end
  return result
end

--- Numbers beside tensors of floats are floats: TensorFlow does not mix them.
local function with_floats(args)
  local float = false
  for _, value in ipairs(args) do float = float or is_float(value) end
  local result = {}
  for i, value in ipairs(args) do
    result[i] = float and type(value) == "number" and value + 0.0 or plain_constant(value)
  end
  return result
end

-- `x[...]` has a class of its own in tf.keras.
local function slicing_layer(node, call)
  local key = slicing.key(call.args[2])
  local config = ordered.object({name = node.name, trainable = true, dtype = "float32",
    ["function"] = "__operators__.getitem"}, {"name", "trainable", "dtype", "function"})
  local spec = slicing.is_key(key) and slicing.form(key, false) or key
  return ordered.object({class_name = "SlicingOpLambda", config = config},
    {"class_name", "config"}),
    {args = {call.args[1]}, kwargs = ordered.object({slice_spec = spec}, {"slice_spec"})}
end

--- The form of tf.keras of an operation that it knows; nil for others.
-- @tparam table node Keras 3's form
-- @treturn ?table `class_name` and `config`
-- @treturn ?table Keras 3's form of its call, with TensorFlow's keywords
function tensorflow_operations.of(node)
  local name = function_of[names.snake_case(node.class_name)]
  local call = node.inbound_nodes[1]
  if not name or not call or #call.args ~= #functions[name] then return nil end
  if name == "__operators__.getitem" then return slicing_layer(node, call) end
  local keywords, args = ordered.object(), with_floats(call.args)
  for i = 2, #args do ordered.set(keywords, functions[name][i], args[i]) end
  if not named_keywords(node, name, keywords) then return nil end
  local config = ordered.object({name = node.name, trainable = true, dtype = "float32",
    ["function"] = name},
    {"name", "trainable", "dtype", "function"})
  return ordered.object({class_name = "TFOpLambda", config = config}, {"class_name", "config"}),
    {args = {args[1]}, kwargs = keywords}
end

return tensorflow_operations
