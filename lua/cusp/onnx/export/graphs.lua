--- Rows that run graphs of their own: scans and choices.
-- @module cusp.onnx.export.graphs
local rules = {}

-- Outer values with names, so that nothing is written for them within a graph.
local function named(g, inputs)
  local result = {}
  for i, value in ipairs(inputs) do
    result[i] = value.constant and value
      or {name = g:name(value), shape = value.shape, dtype = value.dtype}
  end
  return result
end

-- The outputs of an inner graph, each by a node of its own.
local function results_of(inner, node, k, given)
  local values, outputs = node:write_inner(inner, k, given), {}
  for i, entry in ipairs(values) do
    outputs[i] = {inner:node("Identity", {entry.value}).name, entry.dtype}
  end
  return outputs
end

function rules.scan_graph(g, node, inputs)
  local graphs, given = node.attributes.graphs, named(g, inputs)
  local inner, body_inputs = g:inner(), {}
  for i = 1, graphs.carried + graphs.slices do
    local name = inner:unique "step"
    given[i] = {name = name, dtype = node.input_dtypes[i]}
    body_inputs[i] = {name, node.input_dtypes[i]}
  end
  local outputs, directions = results_of(inner, node, 1, given), {}
  for i = 1, graphs.slices do directions[i] = graphs.reverse and 1 or 0 end
  local attributes = {body = inner:graph("step", body_inputs, outputs),
    num_scan_inputs = graphs.slices, scan_input_directions = directions}
  local stacked = {}
  for i = 1, #outputs - graphs.carried do stacked[i] = graphs.reverse and 1 or 0 end
  if #stacked > 0 then attributes.scan_output_directions = stacked end
  return {g:node("Scan", {table.unpack(inputs, 1, #body_inputs)}, attributes, #outputs)}
end

-- The branches from the k-th on; the last one runs for all other numbers.
local function choice(g, node, given, index, k)
  local count = #node.attributes.graphs
  local function outputs_of(inner, at)
    if at == count or at == k then return results_of(inner, node, at, given) end
    local outputs = {choice(inner, node, given, index, at)}
    for i, value in ipairs(outputs) do outputs[i] = {value.name, value.dtype} end
    return outputs
  end
  local function branch(at)
    local inner = g:inner()
    local outputs = outputs_of(inner, at)
    return inner:graph("branch", {}, outputs), outputs
  end
  local yes, outputs = branch(k)
  local condition = g:node("LessOrEqual", {index, g:number(k - 1, index.dtype)})
  local results = {g:node("If", {condition}, {then_branch = yes, else_branch = (branch(k + 1))},
    #outputs)}
  for i, value in ipairs(results) do value.dtype = outputs[i][2] end
  return table.unpack(results)
end

function rules.choose(g, node, inputs)
  local given = named(g, inputs)
  local index = table.remove(given, 1)
  index.dtype = node.input_dtypes[1]
  return {choice(g, node, given, index, 1)}
end

return rules
