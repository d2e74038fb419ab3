--- RNN, GRU and LSTM: with the usual activations the engine's rows over whole sequences, otherwise
-- step by step.
-- @module cusp.onnx.load.recurrent
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

local kinds = {
  LSTM = {gates = 4, states = 2, activations = {"Sigmoid", "Tanh", "Tanh"},
    order = {1, 3, 4, 2}}, -- Keras's i, f, c, o among ONNX's i, o, f, c
  GRU = {gates = 3, states = 1, activations = {"Sigmoid", "Tanh"}, order = {1, 2, 3}},
  RNN = {gates = 1, states = 1, activations = {"Tanh"}, order = {1}},
}

---------------------------------------------------------------- activations

local activations = {
  relu = function(x) return ops.relu(x) end, tanh = function(x) return ops.tanh(x) end,
  sigmoid = function(x) return ops.sigmoid(x) end,
  softsign = function(x) return ops.softsign(x) end,
  softplus = function(x) return ops.softplus(x) end,
  affine = function(x, a, b) return ops.add(ops.multiply(x, a or 1.0), b or 0.0) end,
  leakyrelu = function(x, a) return ops.leaky_relu(x, a or 0.01) end,
  thresholdedrelu = function(x, a)
    return ops.where(ops.greater(x, a or 1.0), x, ops.zeros_like(x))
  end,
  scaledtanh = function(x, a, b)
    return ops.multiply(ops.tanh(ops.multiply(x, b or 1.0)), a or 1.0)
  end,
  hardsigmoid = function(x, a, b)
    return ops.clip(ops.add(ops.multiply(x, a or 0.2), b or 0.5), 0, 1)
  end,
  elu = function(x, a) return ops.elu(x, a or 1.0) end,
}

-- How many numbers an activation takes: of `activation_alpha`, and of `activation_beta`.
local takes = {affine = {1, 1}, leakyrelu = {1, 0}, thresholdedrelu = {1, 0}, scaledtanh = {1, 1},
  hardsigmoid = {1, 1}, elu = {1, 0}}

local function name_of(node, index, kind)
  local name = (node.a.activations or {})[index]
    or kind.activations[(index - 1) % #kind.activations + 1]
  if not activations[name:lower()] then
    errors.raise("the activation %s is not known", errors.describe(name))
  end
  return name:lower()
end

-- Each activation takes the next numbers of the lists, as many as it needs.
local function numbers_before(node, index, kind)
  local alphas, betas = 0, 0
  for i = 1, index - 1 do
    local counts = takes[name_of(node, i, kind)] or {0, 0}
    alphas, betas = alphas + counts[1], betas + counts[2]
  end
  return alphas, betas
end

-- What goes into an activation is clipped, but for the cell's state, as onnxruntime has it.
local function activation(node, index, kind)
  local a, name = node.a, name_of(node, index, kind)
  local alphas, betas = numbers_before(node, index, kind)
  local counts = takes[name] or {0, 0}
  local alpha = counts[1] > 0 and (a.activation_alpha or {})[alphas + 1] or nil
  local beta = counts[2] > 0 and (a.activation_beta or {})[betas + 1] or nil
  local of_state = #kind.activations == 3 and index % 3 == 0
  return function(x)
    if a.clip and not of_state then x = ops.clip(x, -a.clip, a.clip) end
    return activations[name](x, alpha, beta)
  end
end

---------------------------------------------------------------- one direction

local function parts_of(tensor, count) return ops.split(tensor, count, {axis = -1}) end

local cells = {}

function cells.RNN(p, row, states)
  return {p.f[1](ops.add(ops.add(row, ops.matmul(states[1], p.recurrent)), p.inner_bias))}
end

function cells.LSTM(p, row, states)
  local sum = ops.add(ops.add(row, ops.matmul(states[1], p.recurrent)), p.inner_bias)
  local i, o, f, c = table.unpack(parts_of(sum, 4))
  local peek = p.peepholes
  if peek then
    i = ops.add(i, ops.multiply(peek[1], states[2]))
    f = ops.add(f, ops.multiply(peek[3], states[2]))
  end
  local forget = p.input_forget and ops.subtract(1, p.f[1](i)) or p.f[1](f)
  local new = ops.add(ops.multiply(forget, states[2]), ops.multiply(p.f[1](i), p.f[2](c)))
  if peek then o = ops.add(o, ops.multiply(peek[2], new)) end
  return {ops.multiply(p.f[1](o), p.f[3](new)), new}
end

function cells.GRU(p, row, states)
  local x, h = parts_of(row, 3), states[1]
  local recurrent, bias = p.gate_kernels, p.gate_biases
  local function gate(i)
    return p.f[1](ops.add(x[i], ops.add(ops.matmul(h, recurrent[i]), bias[i])))
  end
  local z, r = gate(1), gate(2)
  local inner
  if p.linear_before_reset then
    inner = ops.multiply(r, ops.add(ops.matmul(h, recurrent[3]), bias[3]))
  else
    inner = ops.add(ops.matmul(ops.multiply(r, h), recurrent[3]), bias[3])
  end
  local new = p.f[2](ops.add(x[3], inner))
  return {ops.add(ops.multiply(ops.subtract(1, z), new), ops.multiply(z, h))}
end

-- x [time, batch, input]; counts [time, batch, 1] or nil
local function run_steps(p, kind_name, x, states, counts, backwards)
  local rows = ops.add(ops.matmul(x, p.kernel), p.bias)
  local outputs, count = {}, values.limit_steps(x.shape[1], "the sequence")
  for step = 1, count do
    local at = backwards and count - step + 1 or step
    local after = cells[kind_name](p, rows[at], states)
    local output = after[1]
    if counts then
      for i, state in ipairs(after) do after[i] = ops.where(counts[at], state, states[i]) end
      output = ops.where(counts[at], output, ops.zeros_like(output))
    end
    states, outputs[at] = after, output
  end
  return ops.stack(outputs, 1), states
end

local function in_order(tensor, kind)
  local parts, sorted = parts_of(tensor, kind.gates), {}
  for i, gate in ipairs(kind.order) do sorted[i] = parts[gate] end
  return ops.concatenate(sorted, -1)
end

-- The engine's row for the whole sequence, where there is one; nil otherwise.
local function run_row(p, name, kind, x, states, counts, backwards)
  local plain = p.plain and (name == "LSTM" or name == "GRU" and p.linear_before_reset)
  if not plain or x.shape[1] == 0 or p.kernel.dtype ~= "float32" then return nil end
  local bias, inner = in_order(p.bias, kind), in_order(p.inner_bias, kind)
  local mask = counts and ops.transpose(ops.squeeze(counts, 3))
  local arguments = {ops.transpose(x, {2, 1, 3}), table.unpack(states)}
  local at = #arguments
  arguments[at + 1], arguments[at + 2] = in_order(p.kernel, kind), in_order(p.recurrent, kind)
  arguments[at + 3] = name == "LSTM" and ops.add(bias, inner) or ops.stack{bias, inner}
  arguments[at + 4] = {mask = mask, go_backwards = backwards}
  local results = table.pack((name == "LSTM" and ops.lstm or ops.gru)(table.unpack(arguments)))
  local sequence = ops.transpose(results[1], {2, 1, 3})
  if backwards then sequence = ops.flip(sequence, 1) end
  if counts then sequence = ops.where(counts, sequence, ops.zeros_like(sequence)) end
  return sequence, {table.unpack(results, 2, results.n)}
end

---------------------------------------------------------------- both directions

local function weights_of(node, kind, direction, x, w, r, b, peepholes)
  local index, units = direction, r.shape[3]
  local p = {kernel = ops.transpose(w[index]), recurrent = ops.transpose(r[index]),
    input_forget = node.a.input_forget == 1,
    linear_before_reset = node.a.linear_before_reset == 1}
  local both = b and ops.split(b[index], 2, {axis = 1})
  local zeros = not b and ops.zeros({kind.gates * units}, {dtype = x.dtype})
  p.bias, p.inner_bias = both and both[1] or zeros, both and both[2] or zeros
  p.gate_kernels, p.gate_biases = parts_of(p.recurrent, kind.gates),
    parts_of(p.inner_bias, kind.gates)
  if peepholes then p.peepholes = ops.split(peepholes[index], 3, {axis = 1}) end
  p.f = {}
  for i = 1, #kind.activations do
    p.f[i] = activation(node, (direction - 1) * #kind.activations + i, kind)
  end
  p.plain = not (node.a.activations or node.a.clip or peepholes or p.input_forget)
  return p
end

local function counted_steps(lengths, time, batch)
  if not lengths then return nil end
  return ops.less(ops.reshape(ops.arange(time), {time, 1, 1}),
    ops.reshape(ops.cast(lengths, "int32"), {1, batch, 1}))
end

local function first_states(kind, given, direction, batch, units, dtype)
  local states = {}
  for i = 1, kind.states do
    states[i] = given[i] and given[i][direction] or ops.zeros({batch, units}, {dtype = dtype})
  end
  return states
end

local function run(node, name, x, w, r, b, lengths, given, peepholes)
  local kind = kinds[name]
  local time, batch, units = x.shape[1], x.shape[2], r.shape[3]
  local counts = counted_steps(lengths, time, batch)
  local sequences, finals = {}, {}
  for direction = 1, w.shape[1] do
    local backwards = node.a.direction == "reverse" or direction == 2
    local p = weights_of(node, kind, direction, x, w, r, b, peepholes)
    local states = first_states(kind, given, direction, batch, units, x.dtype)
    local sequence, after = run_row(p, name, kind, x, states, counts, backwards)
    if not sequence then
      sequence, after = run_steps(p, name, x, states, counts, backwards)
    end
    sequences[direction], finals[direction] = sequence, after
  end
  return sequences, finals
end

local function batch_first(node) return node.a.layout == 1 end

local function operator(name)
  return function(node, x, w, r, b, lengths, h, c, peepholes)
    local given = {h, c}
    if batch_first(node) then
      x = ops.transpose(x, {2, 1, 3})
      for i = 1, 2 do given[i] = given[i] and ops.transpose(given[i], {2, 1, 3}) end
    end
    local sequences, finals = run(node, name, x, w, r, b, lengths, given, peepholes)
    local results = {ops.stack(sequences, 2)}
    for i = 1, kinds[name].states do
      local states = {}
      for direction, after in ipairs(finals) do states[direction] = after[i] end
      results[i + 1] = ops.stack(states, 1)
    end
    if batch_first(node) then
      results[1] = ops.transpose(results[1], {3, 1, 2, 4})
      for i = 2, #results do results[i] = ops.transpose(results[i], {2, 1, 3}) end
    end
    return table.unpack(results)
  end
end

for name in pairs(kinds) do operators[name] = operator(name) end

return operators
