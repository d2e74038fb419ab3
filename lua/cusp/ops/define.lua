--- Defines operations in Lua in terms of others. `define` takes the same fields as a row of the
-- operation table in C: a name, the arguments in the same notation, one line of help, and the
-- function. The operation becomes `cusp.ops.NAME` and, if its first argument is a tensor, a method
-- of tensors and variables.
-- @module cusp.ops.define
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local rooms = require "cusp.base.rooms"

local define = {}

local rows = {}     -- name → description, as engine.describe gives it
local functions = {} -- name → function
define.functions = functions
define.bodies = {} -- name → the function below the reading of arguments, for help

--- Whether a value is a symbolic tensor, from a model under construction.
-- @treturn boolean
local function is_symbolic(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__symbolic") == true
end
define.is_symbolic = is_symbolic

local function holds_symbolic(value, depth)
  if type(value) ~= "table" then return false end
  if is_symbolic(value) then return true end
  if depth == 0 or not kinds.is_plain(value) then return false end
  for _, item in pairs(value) do
    if holds_symbolic(item, depth - 1) then return true end
  end
  return false
end

local function any_symbolic(...)
  for i = 1, select("#", ...) do
    if holds_symbolic((select(i, ...)), 2) then return true end
  end
  return false
end

local function holds_tensors(value)
  if not kinds.is_plain(value) or #value == 0 then return false end
  for i = 1, #value do
    if type(value[i]) ~= "userdata" then return false end
  end
  return true
end

--- A tensor as it is, a list of tensors stacked, anything else (a number, a table of numbers) as a
-- new tensor.
-- @treturn tensor
function define.tensor(value)
  if type(value) == "userdata" and value.dtype then return value end
  if holds_tensors(value) then return engine.ops.stack(value) end
  return engine.tensor(value)
end

--- Raises for an axis that a tensor lacks, naming the operation that the user called.
function define.check_axis(name, axis, x)
  local rank = #x.shape
  if math.abs(axis) > rank then
    errors.raise(
      "%s: axis %d is out of range for a tensor of %d dimension%s (expected 1 to %d, or -%d to -1)",
      name, axis, rank,
      rank == 1 and "" or "s", rank, rank)
  end
end

local function convert_tensors(name, parsed, values)
  for i, parameter in ipairs(parsed) do
    local value = values[i]
    if parameter.tensors then
      local list = {}
      if type(value) == "userdata" then value = engine.ops.unstack(value) end
      if type(value) ~= "table" then
        errors.raise("%s: argument '%s' should be a list of tensors, got %s", name, parameter[1],
          errors.describe(value))
      end
      for j = 1, #value do list[j] = define.tensor(value[j]) end
      values[i] = list
    elseif parameter.is_tensor and value ~= nil then
      values[i] = define.tensor(value)
    end
  end
end

local function described(parsed, name, help)
  local list = {}
  for i, parameter in ipairs(parsed) do
    list[i] = {
      name = parameter[1], kind = parameter.tensors and "tensors"
      or parameter.is_tensor and "tensor" or parameter[2],
      default = parameter.default, optional = parameter.optional or parameter.default ~= nil,
    }
  end
  return {name = name, help = help, arguments = list, flags = {}, has_gradient = true,
    composed = true}
end

local function add_method(name, f)
  engine.tensor_methods[name] = f
  engine.variable_methods[name] = f
end

-- Around a call that would be a tail call otherwise, and have no frame with the operation's name.
local function results(...) return ... end

--- Defines an operation.
-- @tparam table definition `{name, arguments, help, function}`; parameters without a kind are
-- converted to tensors; `plain = true`: no special handling of symbolic tensors (functions that
-- take functions); `method = false`: not a method
-- @treturn function
function define.op(definition)
  local name, text, help, f = definition[1], definition[2], definition[3], definition[4]
  local parsed = arguments.signature(text)
  for _, parameter in ipairs(parsed) do
    parameter.is_tensor = parameter[2] == "any" and not parameter.any and not parameter.tensors
  end
  local bind = arguments.binder_of(name, parsed)
  local function op(...)
    if not definition.plain and any_symbolic(...) then
      return rooms.get("symbolic.tensors").call_operation(name, functions[name], ...)
    end
    local values = table.pack(bind(...))
    convert_tensors(name, parsed, values)
    return results(f(table.unpack(values, 1, #parsed)))
  end
  functions[name], define.bodies[name] = op, f
  engine.name_function(op, name)
  rows[name] = described(parsed, name, help)
  local is_method = definition.method ~= false and parsed[1] and parsed[1].is_tensor
  if is_method and not rawget(engine.tensor_methods, name) then add_method(name, op) end
  return op
end

--- Defines an operation whose arguments no signature describes (any number of operands, keywords of
-- any name).
-- @tparam string name
-- @tparam string help
-- @tparam function f gets the arguments as they came, when none is symbolic
-- @tparam[opt=false] boolean method whether it is a method of tensors as well
-- @tparam[opt=false] boolean is_plain whether symbolic tensors are no special case
function define.raw(name, help, f, method, is_plain)
  local function op(...)
    if not is_plain and any_symbolic(...) then
      return rooms.get("symbolic.tensors").call_operation(name, functions[name], ...)
    end
    return results(f(...))
  end
  functions[name], define.bodies[name] = op, f
  engine.name_function(op, name)
  rows[name] = {name = name, help = help, arguments = {}, flags = {}, has_gradient = true,
    composed = true}
  if method then add_method(name, op) end
end

--- Defines several operations.
function define.ops(definitions)
  for _, definition in ipairs(definitions) do define.op(definition) end
end

--- The descriptions of the operations defined so far, by name.
function define.rows() return rows end

define.add_method = add_method

return define
