--- A graph of operations as functions in C and the memory that they need.
-- @module cusp.export_c.program
local arrange = require "cusp.export_c.arrange"
local arrays = require "cusp.export_c.arrays"
local attention = require "cusp.export_c.attention"
local errors = require "cusp.base.errors"
local fourier = require "cusp.export_c.fourier"
local fused = require "cusp.export_c.fused"
local groups = require "cusp.export_c.groups"
local lifetimes = require "cusp.export_c.lifetimes"
local lists = require "cusp.base.lists"
local loops = require "cusp.export_c.loops"
local products = require "cusp.export_c.products"
local recurrent = require "cusp.export_c.recurrent"
local rows = require "cusp.export_c.rows"
local scattering = require "cusp.export_c.scattering"
local Step = require "cusp.export_c.step"
local sorting = require "cusp.export_c.sorting"
local targets = require "cusp.export_c.targets"
local text = require "cusp.export_c.text"
local views = require "cusp.export_c.views"
local weights = require "cusp.export_c.weights"
local windows = require "cusp.export_c.windows"

local Program = {}
Program.__index = Program

local function merge(...)
  local result = {}
  for _, map in ipairs{...} do
    for name, f in pairs(map) do result[name] = f end
  end
  return result
end

-- What a group may begin with, and what is a step by itself.
local roots = merge(fused.roots, products.roots, windows.roots)
local alone = merge(attention, fourier, recurrent, rows, scattering, sorting, arrange)
alone.copy, alone.position = nil, nil

--- Fails for an operation that cannot be said in C.
-- @tparam table op
-- @tparam ?string detail
function Program:refuse(op, detail)
  local layer = self.record:layer_of(op)
  errors.raise("export_c: %s cannot be written in C: the operation %s%s is not supported%s",
    layer and ("the layer '%s'"):format(layer) or "the model", op.name,
    detail and " " .. detail or "", op.name == "quantized_matmul"
    and '; export the model before it is quantized, with {weights = "int8"}' or "")
end

---------------------------------------------------------------- memory

--- Working memory for `count` elements.
function Program:new_buffer(dtype, count, what)
  local buffer = {name = "", dtype = dtype, count = math.max(count, 1), buffer = true,
    made = #self.items}
  table.insert(self.buffers, buffer)
  buffer.name = ("%s%d"):format(what, #self.buffers)
  return buffer
end

local function new_buffer_of(program, value)
  local type_ = program.graph.values[value]
  local source = program:new_buffer(type_.dtype, arrays.count(type_.shape), "v")
  source.name = program.scope == 0 and "v" .. value or ("v%d_%d"):format(program.scope, value)
  return arrays.dense(source, type_.shape)
end

--- The array of a value that a step computes: where it is to be in the end, or a buffer.
function Program:new_array(value)
  self.arrays[value] = self.targets[value] or new_buffer_of(self, value)
  return self.arrays[value]
end

local roles = {matmul = "kernel", conv_forward = "kernel", conv_input_gradient = "kernel",
  gather_axis = "table", lstm_sequence = {[4] = "kernel", [5] = "recurrent", [6] = "bias"},
  gru_sequence = {[3] = "kernel", [4] = "recurrent", [5] = "bias"}}

local function role_of(reader)
  local role = reader.op and roles[reader.op.name]
  if type(role) == "table" then role = role[reader.input] end
  return role or "values"
end

local function name_constant(program, reader)
  local layer = reader.op and program.record:layer_of(reader.op) or "constant"
  local name = text.identifier(layer .. "_" .. role_of(reader))
  local full, n = program.prefix .. "_" .. name, 1
  while program.names[full] do
    n = n + 1
    full = ("%s_%s_%d"):format(program.prefix, name, n)
  end
  program.names[full] = true
  return full, layer
end

local function add_constant(program, leaf)
  local tensor, value = leaf.constant, leaf.value
  local shape = program.graph.values[value].shape
  if arrays.count(shape) == 0 then return nil end
  if not text.type(tensor.dtype) then return nil end
  local literal = weights.uniform(tensor, tensor:flat())
  if literal then
    program.arrays[value] = arrays.uniform(literal, tensor.dtype, shape)
    return
  end
  local readers = groups.readers(program.graph, value)
  local name, layer = name_constant(program, readers[1] or {})
  local source = {name = name, dtype = tensor.dtype, constant = true, tensor = tensor,
    comment = layer}
  source.scale = program.quantizes and weights.fits(tensor, readers)
  program.sources[leaf] = source
  table.insert(program.constants, source)
  program.arrays[value] = arrays.dense(source, shape)
end

local function add_leaves(program, given)
  for _, leaf in ipairs(program.graph.leaves) do
    if leaf.argument then
      program.arrays[leaf.value] = given[leaf.argument]
    else
      add_constant(program, leaf)
    end
  end
end

---------------------------------------------------------------- steps

local function describe(program, operations, value)
  local names = table.concat(lists.pick(operations, "name"), " ")
  local layer = program.record:layer_of(operations[1])
  return ("%s%s -> %s"):format(layer and layer .. ": " or "", names,
    text.shape(program.graph.values[value].shape))
end

--- Adds a function, called after those before it.
function Program:new_step(name, comment)
  local step = Step.new(self, ("%s_step%d_%s"):format(self.prefix, #self.steps + 1,
    text.identifier(name)), comment)
  table.insert(self.steps, step)
  table.insert(self.items, {step = step})
  return step
end

local function step_for(program, operations, value)
  local layer = program.record:layer_of(operations[1])
  return program:new_step(layer or operations[1].name, describe(program, operations, value))
end

-- A view of what it reads, or of a copy of that where the elements do not lie as needed.
local function add_view(program, op)
  local value, from = op.first_output, program.arrays[op.inputs[1]]
  local shape = program.graph.values[value].shape
  local array = views.forward[op.name](from, op.attributes, shape)
  if not array then
    local step = step_for(program, {op}, value)
    local copy = arrays.dense(program:new_buffer(from.dtype, arrays.count(from.shape), "copy"),
      from.shape)
    arrange.copy(step, from, copy)
    array = views.forward[op.name](copy, op.attributes, shape)
  end
  program.arrays[value] = array
end

local function operations_of(group)
  local operations = {}
  if group.inputs then
    table.move(group.inputs.members, 1, #group.inputs.members, 1, operations)
  end
  if group.root then operations[#operations + 1] = group.root end
  return table.move(group.members, 1, #group.members, #operations + 1, operations)
end

local function add_group(program, group)
  local step = step_for(program, operations_of(group), group.value)
  if not group.root then return fused.elementwise(step, group) end
  local result = step:result(group.value)
  roots[group.root.name](step, group.root, group, result, step:finisher(group, result))
end

local function check_types(program, op)
  for i = 0, op.n_outputs - 1 do
    local type_ = program.graph.values[op.first_output + i]
    if not text.type(type_.dtype) then program:refuse(op, "of " .. type_.dtype) end
    if arrays.count(type_.shape) == 0 then program:refuse(op, "without elements") end
  end
  for _, value in ipairs(op.inputs) do
    local dtype = program.graph.values[value].dtype
    if not text.type(dtype) then program:refuse(op, "of " .. dtype) end
  end
end

-- Reading at one known position is a view.
local function add_selection(program, op)
  local at = op.name == "gather_axis" and program.arrays[op.inputs[2]]
  local position = at and at.literal and tonumber((at.literal:gsub("LL$", "")))
  if not position then return false end
  local value = op.first_output
  program.arrays[value] = views.select(program.arrays[op.inputs[1]], op.attributes.axis + 1,
    position, program.graph.values[value].shape)
  return true
end

local function add_padding(program, op)
  local array = op.name == "embed" and windows.padded(program, op)
  if array then program.arrays[op.first_output] = array end
  return array
end

-- A step without lines is none: all was computed where it belongs.
local function add_alone(program, op)
  local step = step_for(program, {op}, op.first_output)
  alone[op.name](step, op)
  if #step.writer.lines > 0 then return end
  table.remove(program.steps)
  table.remove(program.items)
end

local function add_operation(program, op, group)
  check_types(program, op)
  if views.forward[op.name] then return add_view(program, op) end
  if add_selection(program, op) then return end
  if add_padding(program, op) then return end
  if op.elementwise or roots[op.name] then
    if group.sink == op then add_group(program, group) end
  elseif loops[op.name] then
    loops[op.name](program, op)
  elseif alone[op.name] then
    add_alone(program, op)
  else
    program:refuse(op)
  end
end

local inner = {"graph", "users", "arrays", "targets", "scope"}

--- Adds the operations of a graph.
-- @tparam table graph
-- @tparam {table,...} given arrays in the place of the arguments of its leaves
-- @tparam table wanted by number of an output: the array in which it should be computed
-- @treturn {table,...} the arrays of its outputs: others than those wanted where an output is no
-- result of a step
function Program:within(graph, given, wanted)
  local outer, results = {}, {}
  for _, name in ipairs(inner) do outer[name] = self[name] end
  self.graph, self.arrays, self.scope = graph, {}, self.n_scopes
  self.n_scopes = self.n_scopes + 1
  local group, users = groups.of(graph, roots)
  self.users = users
  self.targets = targets.of(graph, wanted, function(value) return new_buffer_of(self, value) end)
  add_leaves(self, given)
  for _, op in ipairs(graph.operations) do add_operation(self, op, group[op]) end
  for k, value in ipairs(graph.outputs) do results[k] = self.arrays[value] end
  for _, name in ipairs(inner) do self[name] = outer[name] end
  return results
end

-- Arrays that are overwritten by copies to others wait in buffers.
local function save(program, name, from, to)
  local overwritten, step = {}, nil
  for k, array in pairs(to) do
    if not arrays.same(from[k], array) then overwritten[array.source] = true end
  end
  for k, array in pairs(from) do
    if to[k] and not arrays.same(array, to[k]) and overwritten[array.source] then
      step = step or program:new_step(name, name .. ": what is overwritten")
      from[k] = arrays.dense(program:new_buffer(array.dtype, arrays.count(array.shape), "copy"),
        array.shape)
      arrange.copy(step, array, from[k])
    end
  end
end

--- Copies arrays to where they belong, as if all at once.
-- @tparam string name
-- @tparam {table,...} from
-- @tparam table to by the same numbers; nil where there is nothing to do
function Program:deliver(name, from, to)
  save(self, name, from, to)
  local step
  for k, array in ipairs(from) do
    if to[k] and not arrays.same(array, to[k]) then
      step = step or self:new_step(name, name)
      arrange.copy(step, array, to[k])
    end
  end
end

local function dense_all(sources, types)
  local result = {}
  for i, source in ipairs(sources) do result[i] = arrays.dense(source, types[i].shape) end
  return result
end

local function add_all(program)
  local record = program.record
  local given = dense_all(record.arguments,
    table.move(record.states, 1, #record.states, #record.inputs + 1,
      table.move(record.inputs, 1, #record.inputs, 1, {})))
  local outputs = dense_all(record.results, record.outputs)
  local results = program:within(record.graph, given, outputs)
  program:deliver("output", results, outputs)
  local n = #outputs
  program:deliver("state", table.move(results, n + 1, #results, 1, {}),
    table.move(given, #record.inputs + 1, #given, 1, {}))
end

--- Makes the program of what was recorded of a model.
-- @tparam table record see `cusp.export_c.record`
-- @tparam string prefix of all names in C
-- @tparam boolean quantizes whether weights become int8
function Program.new(record, prefix, quantizes)
  local program = setmetatable({record = record, prefix = prefix, quantizes = quantizes,
    buffers = {}, constants = {}, sources = {}, items = {}, steps = {}, helpers = {},
    helper_order = {}, names = {}, n_scopes = 0, depth = 0}, Program)
  add_all(program)
  program.work = lifetimes.place(program.buffers, program.items)
  return program
end

return Program
