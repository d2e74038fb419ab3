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

--- The outputs of a graph.
-- @tparam table graph of `trace:graph`
-- @tparam table constants by value
-- @tparam {tensor,...} arguments in the order of the placeholders
-- @treturn {tensor,...}
return function(graph, constants, arguments)
  local values = {}
  for _, leaf in ipairs(graph.leaves) do
    values[leaf.value] = leaf.argument and arguments[leaf.argument] or constants[leaf.value]
  end
  for _, op in ipairs(graph.operations) do
    local results = apply(op, values)
    for i = 1, op.n_outputs do values[op.first_output + i - 1] = results[i] end
  end
  local outputs = {}
  for i, value in ipairs(graph.outputs) do outputs[i] = values[value] end
  return outputs
end
