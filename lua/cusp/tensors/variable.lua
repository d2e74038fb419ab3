--- Variables, for values that change. They work wherever a tensor does; `assign`, `assign_add` and
-- `assign_sub` set a new value.
-- @module cusp.tensors.variable
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local rooms = require "cusp.base.rooms"
local sharding = require "cusp.base.sharding"

local bind = arguments.named_binder("Variable", {
  {"initializer", "any"},
  {"shape", "shape", optional = true, allow_integer = true},
  {"dtype", "dtype", optional = true},
  {"trainable", "boolean", default = true},
  {"autocast", "boolean", default = true},
  {"aggregation", "string", default = "none"},
  {"synchronization", "string", default = "auto"},
  {"name", "string", optional = true},
  {"layout", "any", optional = true},
  {"constraint", "constraint", optional = true},
  {"regularizer", "regularizer", optional = true},
}, "nested")

local kept = {"autocast", "aggregation", "synchronization", "constraint", "regularizer"}

local function is_initializer(value)
  if type(value) == "function" or type(value) == "string" then return true end
  local meta = getmetatable(value)
  return type(value) == "table" and type(meta) == "table" and meta.__call ~= nil
end

local function first_value(value, shape, dtype)
  if kinds.is_plain(value) and #value == 1 and shape and is_initializer(value[1]) then
    value = value[1] -- Variable{"zeros", shape = {2}}
  end
  if is_initializer(value) then
    if not shape then errors.raise("Variable: an initializer needs a shape") end
    return rooms.get("initializers").get(value)(shape, {dtype = dtype or engine.get_floatx()})
  end
  if kinds.is_plain(value) and #value == 1 and type(value[1]) == "userdata" then
    value = value[1]
  end
  if type(value) == "userdata" then return value end
  return engine.tensor(value, {dtype = dtype, shape = shape})
end

--- Makes a variable.
-- @param initializer a tensor, a number, nested tables of numbers; or an initializer, with a shape
-- @tparam[opt] {integer,...} shape
-- @tparam[opt] string dtype by default the value's
-- @tparam[opt=true] boolean trainable
-- @tparam[opt] string name
-- @tparam[opt] TensorLayout layout how the processes of a `ModelParallel` divide it: the variable
-- has this process's part
-- @tparam[opt] constraint constraint
-- @treturn Variable with `value`, `shape`, `dtype`, `name`, `path`, `trainable`
-- @usage local steps = cusp.Variable(0, {name = "steps", trainable = false})
return function(...)
  local args = bind(...)
  sharding.check_layout("Variable", args.layout)
  local name = args.name or require("cusp.base.names").unique "variable"
  local value = first_value(args.initializer, args.shape, args.dtype)
  local settings = {dtype = args.dtype, trainable = args.trainable}
  local known = args.layout and sharding.of_new(name, value.shape, args.layout)
  local variable = known and sharding.variable(value, settings, known)
    or engine.variable(value, settings)
  variable.name, variable.path = name, name
  if args.layout then variable.layout = args.layout end
  for _, field in ipairs(kept) do variable[field] = args[field] end
  return variable
end
