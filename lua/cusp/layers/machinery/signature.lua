--- What the `call` of a layer takes after the inputs, and how the arguments of a call are bound.
--
-- A class of the library declares `call_arguments`, the names of Keras's `call` in order; of a
-- class of the program's own the names of its function's parameters count. What the function has
-- parameters for is handed over by position, the rest by name in the last argument, `args`.
-- @module cusp.layers.machinery.signature
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local methods = require "cusp.base.methods"
local Node = require "cusp.symbolic.node"
local structure = require "cusp.base.structure"

local signature = {}

-- Names that say that a last parameter is the table of keyword arguments, no tensor.
local table_names = {}
for name in ("args arguments kwargs keywords options opts params"):gmatch "%w+" do
  table_names[name] = true
end

local function is_table_name(name)
  return name == nil or table_names[name] or name:sub(1, 1) == "_"
end

local flags = {
  training = true, return_attention_scores = true, use_causal_mask = true, reverse = true,
}

local function parameter_names(call)
  local names, info = {}, debug.getinfo(call, "u")
  for i = 3, info.nparams do names[#names + 1] = debug.getlocal(call, i) or "_" end
  return names, info.isvararg
end

local function parse(class, call, declared)
  local names, any = {}, true
  call = Object.method_behind(call)
  if type(call) == "function" then names, any = parameter_names(call) end
  local last = names[#names]
  local own = type(call) == "function" and not errors.is_library(debug.getinfo(call, "S").source)
  if own then methods.check(class) end
  local found = {
    any = any, parameters = names, by_position = math.max(#names - 1, 0),
    last_is_table = is_table_name(last), plain = not any and #names < 2 and is_table_name(last),
  }
  if declared and (not own or found.plain) then
    found.names, found.plain, found.any = declared, found.by_position == 0, false
  else
    found.names = table.move(names, 1, found.last_is_table and #names - 1 or #names, 1, {})
  end
  return found
end

local parsed = setmetatable({}, {__mode = "k"})
local NONE = {}

--- What a layer's `call` takes.
-- @tparam Layer layer
-- @treturn table `names` of the arguments after the inputs; `by_position`: how many of them the
-- function has parameters for; `plain`: whether it is called as `call(self, inputs, args)`; `any`:
-- whether it takes any number
function signature.of(layer)
  local call, declared = layer.call, layer.call_arguments
  local of_call = parsed[call]
  if not of_call then
    of_call = setmetatable({}, {__mode = "k"})
    parsed[call] = of_call
  end
  local found = of_call[declared or NONE]
  if not found then
    found = parse(getmetatable(layer), call, declared)
    of_call[declared or NONE] = found
  end
  return found
end

local function is_tensor(value) return type(value) == "userdata" or Node.is_symbolic(value) end

--- Whether all leaves are tensors, or all are numbers and booleans: data in Lua tables.
local function is_tensors(value)
  if not structure.is_container(value) then return is_tensor(value) end
  local all, numbers = true, true
  structure.map(value, function(leaf)
    all = all and (leaf == false or is_tensor(leaf))
    numbers = numbers and (type(leaf) == "number" or type(leaf) == "boolean")
  end)
  return all or numbers
end

local function refuse_number(layer, names, count)
  local list = "no positional argument after the inputs"
  if #names > 0 then
    list = ("at most %d positional argument%s after the inputs (%s)"):format(#names,
      #names == 1 and "" or "s", table.concat(names, ", "))
  end
  errors.raise("%s (%s): takes %s, got %d", layer.name, getmetatable(layer).__name, list, count)
end

local function check_value(layer, name, position, value)
  if value == nil or not flags[name] and is_tensors(value) then return end
  errors.raise(
    "%s (%s): only tensors can be given by position after the inputs, but argument %d is %s;"
    .. " give it by name: {%s = ...}", layer.name, getmetatable(layer).__name, position + 1,
    errors.describe(value), name or "name")
end

--- Binds the positional arguments of a call after the inputs.
-- @tparam Layer layer
-- @tparam table extras the arguments, with their count `n`; gets the list `by_name` of those that
-- are handed over in `args`
-- @tparam table args keyword arguments; what the function has no parameter for is added to it
-- @raise for an argument that is no tensor, that has no parameter, or that is given twice
function signature.bind(layer, extras, args)
  local of, by_name = signature.of(layer), {}
  local names = of.names
  extras.by_name = by_name
  if extras.n > #names and not of.any then refuse_number(layer, names, extras.n) end
  for i = 1, extras.n do
    local name, value = names[i], extras[i]
    check_value(layer, name, i, value)
    if name and value ~= nil and args[name] ~= nil then
      errors.raise("%s (%s): argument '%s' is given twice, by position and by name", layer.name,
        getmetatable(layer).__name, name)
    end
    if name and i > of.by_position and (i ~= #of.parameters or of.last_is_table) then
      args[name], by_name[#by_name + 1] = value, name
      if name == "mask" and value ~= nil then extras.mask_by_position = true end
    end
  end
end

--- Whether the table of keyword arguments stands at the last parameter.
local function last_is_args(of, extras, args)
  local last = of.parameters[#of.parameters]
  if of.last_is_table then return true end
  return extras.n < #of.parameters and last ~= "training" and last ~= "mask" and args[last] == nil
end

--- Calls the layer's function: parameters by position or name, then the table of keyword arguments.
-- @return what the function returns
function signature.run(layer, inputs, extras, args)
  local of = signature.of(layer)
  if of.plain then return layer:call(inputs, args) end
  if of.any and #of.parameters == 0 then
    local given = table.move(extras, 1, extras.n, 1, {})
    given[extras.n + 1] = args
    return layer:call(inputs, table.unpack(given, 1, extras.n + 1))
  end
  local count = #of.parameters
  if last_is_args(of, extras, args) then count = count - 1 end
  local given = {}
  for i = 1, count do
    given[i] = extras[i]
    if given[i] == nil then given[i] = args[of.parameters[i]] end
  end
  given[count + 1] = args
  return layer:call(inputs, table.unpack(given, 1, count + 1))
end

--- How many of a call's arguments are tensors, or structures of nothing else; the inputs are one.
function signature.count_tensors(extras, args)
  local count = 1
  for i = 1, extras.n do
    if extras[i] ~= nil and is_tensors(extras[i]) then count = count + 1 end
  end
  for key, value in pairs(args) do
    local may_be = type(value) == "userdata" or type(value) == "table"
    if key ~= "training" and may_be and is_tensors(value) then count = count + 1 end
  end
  return count
end


return signature
