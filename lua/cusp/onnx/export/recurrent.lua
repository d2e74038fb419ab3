--- Recurrent layers over whole sequences: ONNX's LSTM and GRU, or with a mask a Scan, because
-- ONNX's operators know the lengths of sequences only.
-- @module cusp.onnx.export.recurrent
local ops = require "cusp.ops"

local rules = {}

-- states: how many; gates: their order in ONNX, by their place in Keras's
local kinds = {
  lstm_sequence = {op = "LSTM", states = 2, gates = {1, 4, 2, 3}},
  gru_sequence = {op = "GRU", states = 1, gates = {1, 2, 3}},
}

-- [input, gates * units] to [1, gates * units, input], gates in ONNX's order
local function weights(g, value, kind)
  local tensor = ops.transpose(value.constant)
  local parts, sorted = ops.split(tensor, #kind.gates, {axis = 1}), {}
  for i, gate in ipairs(kind.gates) do sorted[i] = parts[gate] end
  return g:constant(ops.expand_dims(ops.concatenate(sorted, {axis = 1}), 1), value.hint)
end

-- [gates * units] or a row for each projection, to [1, 2 * gates * units]
local function bias(g, value, kind)
  local tensor = value.constant
  local rows = #tensor.shape == 1 and {tensor, ops.zeros_like(tensor)} or {tensor[1], tensor[2]}
  local sorted = {}
  for _, row in ipairs(rows) do
    local parts = ops.split(row, #kind.gates, {axis = 1})
    for _, gate in ipairs(kind.gates) do sorted[#sorted + 1] = parts[gate] end
  end
  return g:constant(ops.expand_dims(ops.concatenate(sorted, {axis = 1}), 1), value.hint)
end

local function split_inputs(node, inputs, kind)
  local at, states = 1, {}
  for i = 1, kind.states do states[i] = inputs[1 + i] end
  at = at + kind.states
  local part = {x = inputs[1], states = states, kernel = inputs[at + 1],
    recurrent = inputs[at + 2]}
  if node.attributes.has_bias then part.bias = inputs[at + 3] end
  if node.attributes.has_mask then
    part.mask = inputs[at + (node.attributes.has_bias and 4 or 3)]
  end
  return part
end

-- Zeros are what ONNX's operators begin with.
local function is_zero(value)
  return value.zero or value.constant and not ops.any(value.constant):item()
end

local function initial(g, states)
  local list = {}
  for i, state in ipairs(states) do
    list[i] = not is_zero(state) and g:unsqueeze(state, {0})
  end
  return list
end

local function flipped(g, value, axis)
  return g:node("Slice", {value, g:ints{-1}, g:ints{math.mininteger}, g:ints{axis}, g:ints{-1}})
end

local function operator(g, node, part, kind)
  local units = node.shape[3]
  local states = initial(g, part.states)
  local inputs = {g:transpose(part.x, {1, 0, 2}), weights(g, part.kernel, kind),
    weights(g, part.recurrent, kind), part.bias and bias(g, part.bias, kind) or false, false,
    table.unpack(states)}
  while not inputs[#inputs] do inputs[#inputs] = nil end
  local attributes = {hidden_size = units,
    direction = node.attributes.go_backwards and "reverse" or "forward"}
  if kind.op == "GRU" then attributes.linear_before_reset = 1 end
  local results = {g:node(kind.op, inputs, attributes, 1 + kind.states)}
  local sequence = g:squeeze(results[1], {1})
  if node.attributes.go_backwards then sequence = flipped(g, sequence, 0) end
  results[1] = g:transpose({name = sequence.name}, {1, 0, 2})
  for i = 1, kind.states do results[1 + i] = g:squeeze(results[1 + i], {0}) end
  return results
end

---------------------------------------------------------------- with a mask

-- [batch, gates * units] in as many parts
local function split_gates(g, value, gates)
  return {g:node("Split", {value}, g.opset >= 18 and {axis = -1, num_outputs = gates}
    or {axis = -1}, gates)}
end

local function times(g, a, b) return g:node("Mul", {a, b}) end
local function plus(g, a, b) return g:node("Add", {a, b}) end

local cells = {}

function cells.LSTM(g, part, row, states)
  local sum = plus(g, row, g:node("MatMul", {states[1], part.recurrent}))
  local i, f, c, o = table.unpack(split_gates(g, sum, 4))
  local new_c = plus(g, times(g, g:node("Sigmoid", {f}), states[2]),
    times(g, g:node("Sigmoid", {i}), g:node("Tanh", {c})))
  return {times(g, g:node("Sigmoid", {o}), g:node("Tanh", {new_c})), new_c}
end

function cells.GRU(g, part, row, states)
  local inner = g:node("MatMul", {states[1], part.recurrent})
  if part.inner_bias then inner = plus(g, inner, part.inner_bias) end
  local x, h = split_gates(g, row, 3), split_gates(g, inner, 3)
  local z = g:node("Sigmoid", {plus(g, x[1], h[1])})
  local r = g:node("Sigmoid", {plus(g, x[2], h[2])})
  local new = g:node("Tanh", {plus(g, x[3], times(g, r, h[3]))})
  return {plus(g, new, times(g, z, g:node("Sub", {states[1], new})))}
end

-- One step: states and the output so far before it; the projected row and whether it counts.
local function step(g, part, kind, dtype)
  local inner = g:inner()
  local count = kind.states + 1
  local before, inputs = {}, {}
  for i = 1, count do before[i] = {name = inner:unique "before"} end
  local row, counts = {name = inner:unique "row"}, {name = inner:unique "counts"}
  local after = cells[kind.op](inner, part, row, before)
  table.insert(after, after[1])
  local outputs = {}
  for i = 1, count do outputs[i] = inner:node("Where", {counts, after[i], before[i]}) end
  outputs[count + 1] = inner:node("Identity", {outputs[count]})
  for i = 1, count do inputs[i] = {before[i].name, dtype} end
  inputs[count + 1], inputs[count + 2] = {row.name, dtype}, {counts.name, "bool"}
  for i, value in ipairs(outputs) do outputs[i] = {value.name, dtype} end
  return inner:graph("step", inputs, outputs)
end

local function masked(g, node, part, kind)
  local dtype, backwards = node.dtype, node.attributes.go_backwards
  local row = g:node("MatMul", {part.x, part.kernel})
  if part.bias and kind.op == "GRU" and #part.bias.constant.shape == 2 then
    part.inner_bias = g:constant(part.bias.constant[2], part.bias.hint)
    part.bias = g:constant(part.bias.constant[1], part.bias.hint)
  end
  if part.bias then row = plus(g, row, part.bias) end
  local inputs = {table.unpack(part.states)}
  inputs[#inputs + 1] = part.states[1].zero and part.states[1]
    or g:node("Sub", {part.states[1], part.states[1]})
  inputs[#inputs + 1], inputs[#inputs + 2] = row, g:unsqueeze(part.mask, {2})
  for _, used in ipairs{part.recurrent, part.inner_bias} do g:name(used) end
  local direction = backwards and 1 or 0
  local count = kind.states
  local results = {g:node("Scan", inputs, {body = step(g, part, kind, dtype), num_scan_inputs = 2,
    scan_input_axes = {1, 1}, scan_input_directions = {direction, direction},
    scan_output_axes = {1}}, count + 2)}
  table.insert(results, 1, table.remove(results))
  return results
end

for name, kind in pairs(kinds) do
  rules[name] = function(g, node, inputs)
    local part = split_inputs(node, inputs, kind)
    return (part.mask and masked or operator)(g, node, part, kind)
  end
end

return rules
