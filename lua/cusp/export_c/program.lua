--- A graph of operations as functions in C and the memory that they need.
-- @module cusp.export_c.program
local arrange = require "cusp.export_c.arrange"
local arrays = require "cusp.export_c.arrays"
local attention = require "cusp.export_c.attention"
local errors = require "cusp.base.errors"
local fused = require "cusp.export_c.fused"
local groups = require "cusp.export_c.groups"
local places = require "cusp.export_c.places"
local products = require "cusp.export_c.products"
local recurrent = require "cusp.export_c.recurrent"
local rows = require "cusp.export_c.rows"
local Step = require "cusp.export_c.step"
local sorting = require "cusp.export_c.sorting"
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
local alone = merge(attention, recurrent, rows, sorting, arrange)
alone.copy = nil

--- Fails for an operation that cannot be said in C.
-- @tparam table op
-- @tparam ?string detail
function Program:refuse(op, detail)
  local layer = self.record:layer_of(op)
  errors.raise("export_c: %s cannot be written in C: the operation %s%s is not supported",
    layer and ("the layer '%s'"):format(layer) or "the model", op.name, detail and " " .. detail
    or "")
end

---------------------------------------------------------------- memory

--- Working memory for `count` elements.
function Program:new_buffer(dtype, count, what)
  local buffer = {name = "", dtype = dtype, count = math.max(count, 1), buffer = true}
  table.insert(self.buffers, buffer)
  buffer.name = ("%s%d"):format(what, #self.buffers)
  return buffer
end

--- The array of a value that a step computes: what the caller gave for an output, or a buffer.
function Program:new_array(value)
  local type_ = self.graph.values[value]
  local source = self.record.outputs_by_value[value]
  if source then
    source.filled = true
  else
    source = self:new_buffer(type_.dtype, arrays.count(type_.shape), "v")
    source.name = ("v%d"):format(value)
  end
  self.arrays[value] = arrays.dense(source, type_.shape)
  return self.arrays[value]
end

local roles = {matmul = "kernel", conv_forward = "kernel", conv_input_gradient = "kernel",
  gather_axis = "table", lstm_sequence = {[4] = "kernel", [5] = "recurrent", [6] = "bias"},
  gru_sequence = {[3] = "kernel", [4] = "recurrent", [5] = "bias"}}

local function role_of(user, value)
  local role = user and user ~= "outside" and roles[user.name]
  if type(role) == "table" then
    for i, input in ipairs(user.inputs) do
      if input == value then return role[i] end
    end
  end
  return type(role) == "string" and role or "values"
end

local function name_constant(program, value)
  local user = program.users[value][1]
  local layer = type(user) == "table" and program.record:layer_of(user) or "constant"
  local name = text.identifier(layer .. "_" .. role_of(user, value))
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
  local name, layer = name_constant(program, value)
  local source = {name = name, dtype = tensor.dtype, constant = true, tensor = tensor,
    comment = layer}
  source.scale = program.quantizes and weights.fits(tensor, value, program.users[value])
  table.insert(program.constants, source)
  program.arrays[value] = arrays.dense(source, shape)
end

local function add_leaves(program)
  for _, leaf in ipairs(program.graph.leaves) do
    if leaf.argument then
      local source = program.record.arguments[leaf.argument]
      program.arrays[leaf.value] = arrays.dense(source, program.graph.values[leaf.value].shape)
    else
      add_constant(program, leaf)
    end
  end
end

---------------------------------------------------------------- steps

local function describe(program, operations, value)
  local names = {}
  for i, op in ipairs(operations) do names[i] = op.name end
  local layer = program.record:layer_of(operations[1])
  return ("%s%s -> %s"):format(layer and layer .. ": " or "", table.concat(names, " "),
    text.shape(program.graph.values[value].shape))
end

local function new_step(program, name, comment)
  local step = Step.new(program, ("%s_step%d_%s"):format(program.prefix, #program.steps + 1,
    text.identifier(name)), comment)
  table.insert(program.steps, step)
  return step
end

local function step_for(program, operations, value)
  local layer = program.record:layer_of(operations[1])
  return new_step(program, layer or operations[1].name, describe(program, operations, value))
end

-- A view of what it reads, or of a copy of that where the elements do not lie as needed.
local function add_view(program, op)
  local value, from = op.first_output, program.arrays[op.inputs[1]]
  local shape = program.graph.values[value].shape
  local array = views[op.name](from, op.attributes, shape)
  if not array then
    local step = step_for(program, {op}, value)
    local copy = arrays.dense(program:new_buffer(from.dtype, arrays.count(from.shape), "v"),
      from.shape)
    arrange.copy(step, from, copy)
    array = views[op.name](copy, op.attributes, shape)
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

local function add_operation(program, op, group)
  check_types(program, op)
  if views[op.name] then return add_view(program, op) end
  if add_selection(program, op) then return end
  if op.elementwise or roots[op.name] then
    if group.sink == op then add_group(program, group) end
  elseif alone[op.name] then
    alone[op.name](step_for(program, {op}, op.first_output), op)
  else
    program:refuse(op)
  end
end

-- New states that are old ones wait in a buffer, for those are overwritten one after another.
local function save_states(program)
  for i, target in ipairs(program.record.results) do
    local from = program.arrays[program.graph.outputs[i]]
    if target.state and from.source and from.source.state then
      local copy = arrays.dense(program:new_buffer(from.dtype, arrays.count(from.shape), "v"),
        from.shape)
      arrange.copy(new_step(program, "state", "the state before"), from, copy)
      program.arrays[program.graph.outputs[i]] = copy
    end
  end
end

-- Outputs and states that no step has written where they belong.
local function copy_results(program)
  save_states(program)
  for i, target in ipairs(program.record.results) do
    if not target.filled then
      local value = program.graph.outputs[i]
      local step = new_step(program, target.label, "the " .. target.label)
      arrange.copy(step, program.arrays[value],
        arrays.dense(target, program.graph.values[value].shape))
    end
  end
end

local function place_buffers(program)
  local by_type = {}
  for index, step in ipairs(program.steps) do
    for _, source in ipairs(step.parameters) do
      if source.buffer then
        source.first, source.last = source.first or index, index
      end
    end
  end
  for _, buffer in ipairs(program.buffers) do
    if buffer.first then
      by_type[buffer.dtype] = by_type[buffer.dtype] or {}
      table.insert(by_type[buffer.dtype], buffer)
    end
  end
  program.work = {}
  for dtype, buffers in pairs(by_type) do program.work[dtype] = places.assign(buffers) end
end

--- Makes the program of what was recorded of a model.
-- @tparam table record see `cusp.export_c.record`
-- @tparam string prefix of all names in C
-- @tparam boolean quantizes whether weights become int8
function Program.new(record, prefix, quantizes)
  local graph = record.graph
  local program = setmetatable({record = record, graph = graph, prefix = prefix,
    quantizes = quantizes, arrays = {}, buffers = {}, constants = {}, steps = {}, helpers = {},
    helper_order = {}, names = {}}, Program)
  local group
  group, program.users = groups.of(graph, roots)
  add_leaves(program)
  for _, op in ipairs(graph.operations) do add_operation(program, op, group[op]) end
  copy_results(program)
  place_buffers(program)
  return program
end

return Program
