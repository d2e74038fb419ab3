--- One function of the exported file: what it reads and writes, and its lines.
-- @module cusp.export_c.step
local arrays = require "cusp.export_c.arrays"
local expressions = require "cusp.export_c.expressions"
local groups = require "cusp.export_c.groups"
local text = require "cusp.export_c.text"

local Step = {}
Step.__index = Step

--- A step of a program.
-- @tparam table program
-- @tparam string name
-- @tparam string comment
function Step.new(program, name, comment)
  return setmetatable({program = program, name = name, comment = comment,
    writer = text.writer(1), parameters = {}, written = {}}, Step)
end

function Step:line(...) self.writer:line(...) end
function Step:open(...) self.writer:open(...) end
function Step:close(count) self.writer:close(count) end

--- Opens loops over the positions of a shape.
function Step:loops(name, shape) return self.writer:loops(name, shape) end

--- Opens loops over the rows of a shape, or a block for the only one.
-- @tparam {integer,...} shape
-- @treturn {string,...} the indices
-- @treturn integer how many blocks to close
function Step:row_loops(shape)
  local indices, blocks = self:loops("i", table.move(shape, 1, #shape - 1, 1, {}))
  if blocks == 0 then self:open "{" end
  return indices, math.max(blocks, 1)
end

-- Constants are known to all functions; what is given to this one has a name here.
local function note(step, source)
  local whole = arrays.whole(source)
  if whole.constant then whole.used = true end
  if not source.constant and not step.parameters[source] then
    step.parameters[source] = true
    table.insert(step.parameters, source)
  end
end

--- The element of an array as it is stored, without the scale of a quantized one.
function Step:stored(array, indices)
  if array.literal then return array.literal end
  note(self, array.source)
  return ("%s[%s]"):format(array.source.name, arrays.position(array, indices))
end

--- The number at a position.
-- @tparam table array
-- @tparam {string|integer,...} indices
-- @treturn string in C
function Step:at(array, indices)
  local code = self:stored(array, indices)
  local scale = array.source and array.source.scale
  if not scale then return code end
  return ("(%s * %s_scale[%s])"):format(code, array.source.name, indices[#indices])
end

--- The place at a position, to be written.
function Step:place(array, indices)
  local code = self:stored(array, indices)
  self.written[array.source] = true
  return code
end

--- The array that a value lies in.
function Step:array(value) return self.program.arrays[value] end

--- Makes the array of a value that this step writes.
function Step:result(value)
  local array = self.program:new_array(value)
  note(self, array.source)
  self.written[array.source] = true
  return array
end

--- Working memory of this step alone.
function Step:scratch(dtype, shape)
  local array = arrays.dense(self.program:new_buffer(dtype, arrays.count(shape), "scratch"), shape)
  note(self, array.source)
  self.written[array.source] = true
  return array
end

---------------------------------------------------------------- elementwise operations

--- The arrays that a group reads, as large as its loop.
-- @treturn table by value
function Step:operands(group)
  local result = {}
  for _, value in ipairs((groups.operands(self.program.graph, group))) do
    result[value] = arrays.broadcast(self:array(value), group.shape)
  end
  return result
end

local LONG = 60 -- characters of an expression that gets a variable

local function compute(step, op, known, operands, indices)
  local graph, arguments = step.program.graph, {}
  for i, value in ipairs(op.inputs) do
    arguments[i] = known[value] or step:at(operands[value], indices)
  end
  local last, value = op.inputs[#op.inputs], op.first_output
  local from, to = graph.values[last].dtype, graph.values[value].dtype
  local code = expressions.of(step.program, op, arguments, from, to)
  if not code then step.program:refuse(op) end
  return code, value, to
end

--- Writes the variables that the operations of a group need at a position.
-- @tparam table group
-- @tparam table operands see `operands`
-- @tparam {string|integer,...} indices
-- @tparam ?string root the number that the group begins with
-- @treturn string the number that the group ends with, in C
function Step:evaluate(group, operands, indices, root)
  local known, result = {}, root
  if group.root then known[group.root.first_output] = root end
  if #group.members == 0 and not root then return self:at(operands[group.value], indices) end
  for i, op in ipairs(group.members) do
    local code, value, dtype = compute(self, op, known, operands, indices)
    if i < #group.members and (#self.program.users[value] > 1 or #code > LONG) then
      local name = ("t%d"):format(value)
      self:line("const %s %s = %s;", text.type(dtype), name, code)
      code = name
    end
    known[value], result = code, code
  end
  return result
end

--- A function that writes the end of a group, given the number that its root has at a position.
-- @tparam table group
-- @tparam table result the array
-- @treturn function(indices, root)
function Step:finisher(group, result)
  local operands = self:operands(group)
  return function(indices, root)
    local code = self:evaluate(group, operands, indices, root)
    local place = self:place(result, indices)
    if code ~= place then self:line("%s = %s;", place, code) end
  end
end

return Step
