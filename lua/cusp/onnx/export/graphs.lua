--- Rows that run graphs of their own: scans, loops and choices.
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
    outputs[i] = {inner:node("Identity", {entry.value}).name, entry.dtype, rank = entry.rank}
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

-- The products of all slices up to each, where ONNX has an operator for sums alone.
function rules.cumprod_axis(g, node, inputs)
  local a, dtype, inner = node.attributes, node.dtype, g:inner()
  local direction = {a.reverse and 1 or 0}
  local first = g:node("Gather", {inputs[1], g:number(0, "int64")}, {axis = a.axis})
  local ones = g:node("Expand", {g:number(1, dtype), g:node("Shape", {first})})
  local before, slice = {name = inner:unique "product"}, {name = inner:unique "slice"}
  local after = inner:node("Mul", {before, slice})
  local given = inner:node("Identity", {a.exclusive and before or after})
  local rank = #node.shape - 1
  local body = inner:graph("step", {{before.name, dtype}, {slice.name, dtype}},
    {{after.name, dtype, rank = rank}, {given.name, dtype, rank = rank}})
  local _, products = g:node("Scan", {ones, inputs[1]}, {body = body, num_scan_inputs = 1,
    scan_input_axes = {a.axis}, scan_output_axes = {a.axis}, scan_input_directions = direction,
    scan_output_directions = direction}, 2)
  return products
end

-- The condition of a loop for values that go into a round.
local function condition_of(g, node, values)
  return node:write_inner(g, 2, values)[1].value
end

function rules.loop(g, node, inputs)
  local given, inner = named(g, inputs), g:inner()
  local count = #node.attributes.graphs[1].outputs
  local start = condition_of(g, node, given)
  local body_inputs = {{inner:unique "round", "int64", rank = 0},
    {inner:unique "goes_on", "bool", rank = 0}}
  for i = 1, count do
    local name, dtype = inner:unique "carried", node.input_dtypes[i]
    given[i] = {name = name, dtype = dtype}
    body_inputs[i + 2] = {name, dtype}
  end
  local outputs = results_of(inner, node, 1, given)
  for i, output in ipairs(outputs) do given[i] = {name = output[1], dtype = output[2]} end
  local goes_on = inner:node("Identity", {condition_of(inner, node, given)})
  table.insert(outputs, 1, {goes_on.name, "bool"})
  return {g:node("Loop", {false, start, table.unpack(inputs, 1, count)},
    {body = inner:graph("round", body_inputs, outputs)}, count)}
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
