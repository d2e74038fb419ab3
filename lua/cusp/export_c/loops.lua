--- Rows that repeat a graph or choose one: loops and branches in C around the steps of the graph.
-- @module cusp.export_c.loops
local arrange = require "cusp.export_c.arrange"
local arrays = require "cusp.export_c.arrays"

local loops = {}

local function name_of(program, op) return program.record:layer_of(op) or op.name end

local function inputs_of(program, op, first, last)
  local result = {}
  for i = first, last or #op.inputs do result[#result + 1] = program.arrays[op.inputs[i]] end
  return result
end

-- The outputs of a row from `first` to `last`.
local function new_arrays(program, op, first, last)
  local result = {}
  for k = first, last do result[k] = program:new_array(op.first_output + k - 1) end
  return result
end

-- Carried values lie where the row's outputs will be.
local function begin(program, op, count)
  local carried = new_arrays(program, op, 1, count)
  local name = name_of(program, op)
  if count > 0 then
    local step = program:new_step(name, name .. ": before the first round")
    for k, array in ipairs(inputs_of(program, op, 1, count)) do
      arrange.copy(step, array, carried[k])
    end
  end
  return carried
end

local function open(program, item)
  item.opens = true
  program.items[#program.items + 1] = item
  return item
end

local function close(program) program.items[#program.items + 1] = {closes = true} end

local function appended(list, more) return table.move(more, 1, #more, #list + 1, list) end

---------------------------------------------------------------- a known number of rounds

-- Makes the sources of parts, one for each that is read or written in a round.
local function parts_of(graphs, variable)
  local sources, taken = {}, {}
  local at = graphs.reverse and ("(%d - %s)"):format(graphs.count - 1, variable) or variable
  return function(base, stride)
    local key = ("%p %d"):format(base, stride)
    if stride == 0 then return base end
    if not sources[key] then
      local name = ("%s_%s"):format(base.name, variable)
      taken[name] = (taken[name] or 0) + 1
      if taken[name] > 1 then name = ("%s_%d"):format(name, taken[name]) end
      sources[key] = {name = name, dtype = base.dtype, part_of = base,
        position = stride == 1 and at or ("%s * %d"):format(at, stride)}
    end
    return sources[key]
  end
end

function loops.scan_graph(program, op)
  local graphs = op.attributes.graphs
  local carried, first_capture = graphs.carried, graphs.carried + graphs.slices + 1
  local targets = begin(program, op, carried)
  local stacked = new_arrays(program, op, carried + 1, op.n_outputs)
  program.depth = program.depth + 1
  local item = open(program, {count = graphs.count, name = name_of(program, op),
    variable = "round" .. program.depth})
  local part = parts_of(graphs, item.variable)
  local given, results = table.move(targets, 1, carried, 1, {}), {}
  for _, array in ipairs(inputs_of(program, op, carried + 1, first_capture - 1)) do
    given[#given + 1] = arrays.slice(array, part)
  end
  for k, array in pairs(stacked) do results[k] = arrays.slice(array, part) end
  local outputs = program:within(graphs[1],
    appended(given, inputs_of(program, op, first_capture)), results)
  table.move(targets, 1, carried, 1, results)
  program:deliver(item.name, outputs, results)
  close(program)
  program.depth = program.depth - 1
end

---------------------------------------------------------------- rounds while a condition holds

function loops.loop(program, op)
  local graphs = op.attributes.graphs
  if graphs.passes ~= 1 then program:refuse(op, "with a gradient") end
  local carried = begin(program, op, graphs.carried)
  local given = appended(table.move(carried, 1, #carried, 1, {}),
    inputs_of(program, op, graphs.carried + 1))
  local name = name_of(program, op)
  open(program, {name = name, endless = true})
  local holds = program:within(graphs[2], given, {})[1]
  program.items[#program.items + 1] = {array = holds, breaks = true}
  program:deliver(name, program:within(graphs[1], given, {}), carried)
  close(program)
end

---------------------------------------------------------------- one of several graphs

function loops.choose(program, op)
  local graphs, name = op.attributes.graphs, name_of(program, op)
  local index, captures = program.arrays[op.inputs[1]], inputs_of(program, op, 2)
  local results = new_arrays(program, op, 1, op.n_outputs)
  open(program, {name = name, array = index, branches = #graphs})
  for i, graph in ipairs(graphs) do
    program.items[#program.items + 1] = {array = index, branch = i - 1, branches = #graphs}
    program:deliver(name, program:within(graph, captures, results), results)
  end
  close(program)
end

return loops
