--- Computes the operations of a traced graph one by one, with constants of one's choice.
-- @module cusp.export_c.replay
local engine = require "cusp.engine"

local signatures

local function signature(name)
  if not signatures then
    signatures = {}
    for _, row in ipairs(engine.describe()) do signatures[row.name] = row.arguments end
  end
  return signatures[name]
end

-- Axes count from 1 in calls.
local function shifted(value, kind)
  if kind == "axis" and value then return value >= 0 and value + 1 or value end
  if kind ~= "axes" or not value then return value end
  local result = {}
  for i, axis in ipairs(value) do result[i] = axis >= 0 and axis + 1 or axis end
  return result
end

local function apply(op, values)
  local arguments, count, next_input = {}, 0, 1
  for _, parameter in ipairs(signature(op.name)) do
    count = count + 1
    if parameter.kind == "tensors" then
      local list = {}
      for i, value in ipairs(op.inputs) do list[i] = values[value] end
      arguments[count] = list
    elseif parameter.kind == "tensor" then
      arguments[count] = values[op.inputs[next_input]]
      next_input = next_input + 1
    else
      arguments[count] = shifted(op.attributes[parameter.name], parameter.kind)
    end
  end
  return {engine.ops[op.name](table.unpack(arguments, 1, count))}
end

---------------------------------------------------------------- loops and choices

local replay
local rows = {}

local function concatenated(a, b, from)
  return table.move(b, from, #b, #a + 1, table.move(a, 1, #a, 1, {}))
end

-- What a scan's graph gives in one round is carried or, by output, one more item of a list.
local function take_round(outputs, carried, stacks)
  local values = table.move(outputs, 1, carried, 1, {})
  for k = carried + 1, #outputs do
    stacks[k] = stacks[k] or {}
    table.insert(stacks[k], outputs[k])
  end
  return values
end

local function stacked(values, stacks, n, reverse)
  for k = #values + 1, n do
    local all = engine.ops.stack(stacks[k], 1)
    values[k] = reverse and engine.ops.flip(all, {1}) or all
  end
  return values
end

function rows.scan_graph(op, inputs, change)
  local graphs, stacks = op.attributes.graphs, {}
  local carried, first_capture = graphs.carried, graphs.carried + graphs.slices + 1
  local values = table.move(inputs, 1, carried, 1, {})
  for round = 1, graphs.count do
    local at = graphs.reverse and graphs.count + 1 - round or round
    local given = table.move(values, 1, carried, 1, {})
    for i = carried + 1, first_capture - 1 do given[i] = inputs[i][at] end
    values = take_round(replay(graphs[1], change, concatenated(given, inputs, first_capture)),
      carried, stacks)
  end
  return stacked(values, stacks, op.n_outputs, graphs.reverse)
end

function rows.loop(op, inputs, change)
  local graphs = op.attributes.graphs
  while replay(graphs[2], change, inputs)[1]:item() do
    inputs = concatenated(replay(graphs[1], change, inputs), inputs, graphs.carried + 1)
  end
  return table.move(inputs, 1, graphs.carried, 1, {})
end

function rows.choose(op, inputs, change)
  local graphs = op.attributes.graphs
  local branch = math.max(1, math.min(#graphs, inputs[1]:item() + 1))
  return replay(graphs[branch], change, table.move(inputs, 2, #inputs, 1, {}))
end

---------------------------------------------------------------- the whole

local function run(op, values, change)
  if not rows[op.name] then return apply(op, values) end
  local inputs = {}
  for i, value in ipairs(op.inputs) do inputs[i] = values[value] end
  return rows[op.name](op, inputs, change)
end

--- The outputs of a graph.
-- @tparam table graph of `trace:graph`
-- @tparam function change (leaf) gives the constant to compute with
-- @tparam {tensor,...} arguments in the order of the placeholders
-- @treturn {tensor,...}
function replay(graph, change, arguments)
  local values = {}
  for _, leaf in ipairs(graph.leaves) do
    values[leaf.value] = leaf.argument and arguments[leaf.argument] or change(leaf)
  end
  for _, op in ipairs(graph.operations) do
    local results = run(op, values, change)
    for i = 1, op.n_outputs do values[op.first_output + i - 1] = results[i] end
  end
  local outputs = {}
  for i, value in ipairs(graph.outputs) do outputs[i] = values[value] end
  return outputs
end

return replay
