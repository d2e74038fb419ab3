--- Variables of which each process of a group holds a part, where a distribution divides models.
--
-- Between layers every process has whole tensors. A layer that computes with parts takes its part
-- of what comes in and gives the whole of what goes out; a whole that is divided again at once is
-- not made in a compiled step. A variable that is divided has a field `sharding`: its whole shape,
-- and which axes are divided among which groups.
-- @module cusp.base.sharding
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local sharding = {}
local rows = engine.ops

--- What divides the variables that are made: `layout_of(path)`, `splits_of(path, shape, layout)`,
-- `groups` among which it divides, `gather` (text → the texts of all processes), `rank`, and
-- `begin_run()`; nil where each process has whole models.
sharding.active = nil

---------------------------------------------------------------- tensors

-- tensor → the part of it that was gathered, by which axis and group
local gathered = setmetatable({}, {__mode = "k"})

-- Outside of traces at once: all processes of a group call it in one order.
local function at_once(tensor)
  if not engine.tracing() then engine.evaluate{tensor} end
  return tensor
end

local function value_of(tensor)
  return engine.is_variable(tensor) and tensor.value or tensor
end

local summed_as = {float16 = "float32", bfloat16 = "float32"}

--- The sum of what the processes of a group have; its gradient is each's own.
-- @tparam tensor tensor
-- @tparam table group `number`, `size`, `rank`
-- @treturn tensor
function sharding.sum(tensor, group)
  tensor = value_of(tensor)
  local dtype = tensor.dtype
  local as = summed_as[dtype]
  local sum = rows.group_sum(as and rows.cast(tensor, as) or tensor, group.number)
  return at_once(as and rows.cast(sum, dtype) or sum)
end

-- copy → its group
local copied = setmetatable({}, {__mode = "k"})

--- What all processes of a group have, and compute a part of the gradient of: a copy, whose
-- gradient is the sum; of a copy, itself.
-- @tparam tensor tensor
-- @tparam table group
-- @treturn tensor
function sharding.copy(tensor, group)
  if copied[tensor] == group then return tensor end
  local copy = rows.group_copy(value_of(tensor), group.number)
  copied[copy] = group
  return copy
end

--- This process's part along an axis.
-- @tparam tensor tensor
-- @tparam integer axis from 1
-- @tparam table group
-- @treturn tensor
function sharding.part(tensor, axis, group)
  local known = gathered[tensor]
  if known and known.axis == axis and known.group == group then return known.part end
  return rows.group_part(value_of(tensor), group.number, group.size, group.rank, axis)
end

--- The parts of all processes of a group as one tensor.
-- @tparam tensor tensor
-- @tparam integer axis from 1
-- @tparam table group
-- @treturn tensor
function sharding.gather(tensor, axis, group)
  tensor = value_of(tensor)
  local all = at_once(rows.group_gather(tensor, group.number, group.size, group.rank, axis))
  gathered[all] = {part = tensor, axis = axis, group = group}
  return all
end

--- Along which axis a tensor was just gathered, and in which group.
-- @tparam tensor tensor
-- @treturn ?table `part`, `axis`, `group`
function sharding.gathered(tensor) return gathered[tensor] end

---------------------------------------------------------------- variables

local numbered = setmetatable({}, {__mode = "v"}) -- number → variable, the same in all processes
local numbers = 0

local function same(a, b) return table.concat(a, ",") == table.concat(b, ",") end

local function part_of(known, value)
  for _, split in ipairs(known.splits) do
    value = sharding.part(value, split.axis, split.group)
  end
  return value
end

-- Also takes the whole value: what reads files or sets weights need not know who has what.
local function assign(variable, value)
  local known = variable.sharding
  if type(value) == "table" then value = engine.tensor(value, {dtype = variable.dtype}) end
  local whole = type(value) == "userdata" and same(value.shape, known.shape)
  return engine.variable_methods.assign(variable, whole and part_of(known, value) or value)
end

local function note(variable, known)
  numbers = numbers + 1
  numbered[numbers] = variable
  variable.sharding = {shape = known.shape, splits = known.splits, number = numbers,
    rank = known.rank, gather = known.gather}
  variable.layout, variable.assign = known.layout, assign
  return variable
end

--- Raises for what is given as a layout and is none.
-- @tparam string owner for the message
-- @param layout nil passes
function sharding.check_layout(owner, layout)
  local meta = getmetatable(layout)
  if layout ~= nil and not (type(meta) == "table" and meta.__name == "TensorLayout") then
    errors.raise("%s: layout should be a TensorLayout, got %s", owner, errors.describe(layout))
  end
end

--- How a variable that is made now is divided.
-- @tparam string path of the variable
-- @tparam {integer,...} shape
-- @tparam ?table layout its own; by default what the distribution says
-- @treturn ?table `shape`, `splits`, `layout`; nil where each process has all of it
function sharding.of_new(path, shape, layout)
  local active = sharding.active
  if not active then return nil end
  layout = layout or active.layout_of(path)
  if not layout then return nil end
  local splits = active.splits_of(path, shape, layout)
  if #splits == 0 then return nil end
  return {shape = shape, splits = splits, layout = layout, rank = active.rank,
    gather = active.gather}
end

--- Makes a variable of which this process holds a part.
-- @tparam tensor value the whole
-- @tparam table options as for `engine.variable`
-- @tparam table known what `of_new` gave
-- @treturn Variable
function sharding.variable(value, options, known)
  return note(engine.variable(part_of(known, value), options), known)
end

--- Notes that a variable is divided as another one of the same shape.
-- @tparam Variable variable
-- @tparam Variable reference
-- @treturn Variable
function sharding.like(variable, reference)
  local known = reference.sharding
  if not known then return variable end
  return note(variable, {shape = known.shape, splits = known.splits, layout = reference.layout,
    rank = known.rank, gather = known.gather})
end

-- tensor → the splits of the variable that it is a copy of in another dtype
local casts = setmetatable({}, {__mode = "k"})

--- How a weight is divided, also one that was cast for a call.
-- @tparam Variable|tensor weight
-- @treturn {table,...} `axis`, `group`
function sharding.splits_of(weight)
  local known = engine.is_variable(weight) and weight.sharding
  return known and known.splits or casts[weight] or {}
end

--- A variable in another dtype.
-- @tparam Variable variable
-- @tparam string dtype
-- @treturn tensor
function sharding.cast(variable, dtype)
  local cast, known = rows.cast(variable, dtype), variable.sharding
  if known then casts[cast] = known.splits end
  return cast
end

--- The shape of the whole variable.
-- @tparam Variable variable
-- @treturn {integer,...}
function sharding.shape_of(variable)
  local known = variable.sharding
  return known and known.shape or variable.shape
end

--- What this process holds of a value for a variable.
-- @tparam Variable variable
-- @tparam tensor value the whole, or the part
-- @treturn tensor
function sharding.part_of(variable, value)
  local known = variable.sharding
  if not known or not same(value.shape, known.shape) then return value end
  local part = part_of(known, value)
  if not engine.tracing() then engine.evaluate{part} end
  return part
end

--- The sum over the processes that hold the parts of a variable.
-- @tparam Variable variable
-- @tparam tensor tensor what this process found of its part
-- @treturn tensor
function sharding.total(variable, tensor)
  for _, split in ipairs(sharding.splits_of(variable)) do
    tensor = sharding.sum(tensor, split.group)
  end
  return tensor
end

--- Whether each process holds parts of some of these.
-- @tparam {Variable,...} variables
-- @treturn ?Variable the first one
function sharding.find(variables)
  for _, variable in ipairs(variables) do
    if variable.sharding then return variable end
  end
end

--- Raises where each process holds parts of some of these.
-- @tparam string owner for the message
-- @tparam {Variable,...} variables
-- @tparam string advice
function sharding.check_whole(owner, variables, advice)
  local variable = sharding.find(variables)
  if variable then
    errors.raise("%s: the variable %s is divided among processes as %s; %s", owner, variable.path,
      tostring(variable.layout), advice)
  end
end

-- tensor → how it was divided by `divide`
local divided = setmetatable({}, {__mode = "k"})

--- Divides a tensor that every process has.
-- @tparam tensor tensor
-- @tparam {table,...} splits `axis`, `group`
-- @treturn tensor this process's part
function sharding.divide(tensor, splits)
  local part = part_of({splits = splits}, tensor)
  if #splits > 0 then divided[part] = splits end
  return part
end

--- The whole of a variable, or of what `divide` gave; any other tensor as it is.
-- @tparam tensor tensor
-- @treturn tensor
function sharding.undivided(tensor)
  local splits = divided[tensor] or engine.is_variable(tensor) and (tensor.sharding or {}).splits
  local whole = value_of(tensor)
  for i = splits and #splits or 0, 1, -1 do
    whole = sharding.gather(whole, splits[i].axis, splits[i].group)
  end
  return whole
end

--- The variable of a number, which is the same in all processes.
-- @tparam ?integer number
-- @treturn ?Variable
function sharding.of_number(number) return number and numbered[number] end

---------------------------------------------------------------- agreeing

-- What the first process of each group has.
local function first(tensor)
  for _, group in ipairs(sharding.active.groups) do
    tensor = sharding.sum(group.rank == 0 and tensor or rows.zeros_like(tensor), group)
  end
  return tensor
end

--- Gives variables of which each process has all the values of the first process of its group.
-- @tparam {Variable,...} variables of floats
function sharding.align(variables)
  for _, variable in ipairs(variables) do
    if not variable.sharding then variable:assign(first(variable.value)) end
  end
end

return sharding
