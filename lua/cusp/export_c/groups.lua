--- Which operations share a loop: chains of elementwise operations, what they begin with (a
-- product, a convolution, a sum) and what they end in.
-- @module cusp.export_c.groups
local arrays = require "cusp.export_c.arrays"

local groups = {}

local reductions = {sum = true, reduce_prod = true, amax = true, amin = true, any = true,
  all = true}

local function same_shape(a, b) return table.concat(a, ",") == table.concat(b, ",") end

-- Who reads each value: operations, and "outside" for outputs.
local function find_users(graph)
  local users = {}
  for value in ipairs(graph.values) do users[value] = {} end
  for _, op in ipairs(graph.operations) do
    for _, value in ipairs(op.inputs) do table.insert(users[value], op) end
  end
  for _, value in ipairs(graph.outputs) do table.insert(users[value], "outside") end
  return users
end

-- Where the inputs of an operation begin that all rounds or branches read as they are.
local function first_capture(op)
  local graphs = op.attributes.graphs
  if not graphs then return nil end
  return op.name == "choose" and 2 or graphs.carried + graphs.slices + 1
end

local add_inner_readers

local function add_readers(list, graph, value)
  for _, output in ipairs(graph.outputs) do
    if output == value then list[#list + 1] = {} end
  end
  for _, op in ipairs(graph.operations) do
    local captures = first_capture(op)
    for i, input in ipairs(op.inputs) do
      if input == value and captures and i >= captures then
        add_inner_readers(list, op, op.name == "choose" and i - 1 or i)
      elseif input == value then
        list[#list + 1] = {op = op, input = i}
      end
    end
  end
  return list
end

-- Those within the graphs of an operation that read its capture.
function add_inner_readers(list, op, argument)
  for _, graph in ipairs(op.attributes.graphs) do
    for _, leaf in ipairs(graph.leaves) do
      if leaf.argument == argument then add_readers(list, graph, leaf.value) end
    end
  end
end

--- What reads a value, also within loops and branches: `op` and the number of its `input`; empty
-- for the end of a graph.
function groups.readers(graph, value) return add_readers({}, graph, value) end

local function new_group(shape, sink) return {shape = shape, members = {}, sink = sink} end

-- The one group in which all the users of a value read it, if there is one.
local function common_group(users, inner)
  local found
  for _, user in ipairs(users) do
    local group = user ~= "outside" and inner[user]
    if not group or found and found ~= group then return nil end
    found = group
  end
  return found
end

local function join(graph, op, users, state)
  local value = op.first_output
  local group = common_group(users[value], state.inner)
  if not group or not same_shape(group.shape, graph.values[value].shape) then return nil end
  if op.elementwise then return group end
  local begins = state.roots[op.name] and #users[value] == 1 and not group.root
    and not group.before and graph.values[value].dtype == graph.values[group.value].dtype
  return begins and group or nil
end

local function place(graph, op, users, state)
  local value = op.first_output
  local group = join(graph, op, users, state)
  if not group then
    group = new_group(graph.values[value].shape, op)
    group.value = value
  end
  state.group[op] = group
  if op.elementwise then
    table.insert(group.members, 1, op)
    state.inner[op] = group
  else
    group.root = op
  end
  if reductions[op.name] then
    group.inputs = new_group(graph.values[op.inputs[1]].shape, op)
    group.inputs.before, group.inputs.value = true, op.inputs[1]
    state.inner[op] = group.inputs
  end
end

--- Puts each operation into a group.
-- @tparam table graph
-- @tparam table roots the names of operations that a group may begin with
-- @treturn table group by operation: `members` in order, `root`, `sink` (the last), `inputs` (of
-- a reduction: the group of what it reads)
-- @treturn table who reads each value
function groups.of(graph, roots)
  local users = find_users(graph)
  local state = {group = {}, inner = {}, roots = roots}
  for i = #graph.operations, 1, -1 do place(graph, graph.operations[i], users, state) end
  return state.group, users
end

--- The values that a group reads and does not compute.
-- @tparam table graph
-- @tparam table group
-- @treturn {integer,...}
function groups.operands(graph, group)
  local own, result, seen = {}, {}, {}
  if group.root then own[group.root.first_output] = true end
  for _, op in ipairs(group.members) do own[op.first_output] = true end
  for _, op in ipairs(group.members) do
    for _, value in ipairs(op.inputs) do
      if not own[value] and not seen[value] then
        seen[value], result[#result + 1] = true, value
      end
    end
  end
  if #group.members == 0 and group.before then result[1] = group.value end
  return result, arrays.count(group.shape)
end

return groups
