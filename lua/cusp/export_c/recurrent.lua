--- Recurrent layers over whole sequences.
-- @module cusp.export_c.recurrent
local expressions = require "cusp.export_c.expressions"
local text = require "cusp.export_c.text"

local recurrent = {}

-- The operands and results of a row, by name.
local function parts(step, op, names, gates)
  local next_input, attributes = #names + 4, op.attributes
  local p = {type = nil, op = op}
  local function input(i) return step:array(op.inputs[i]) end
  p.x, p.kernel, p.recurrent = input(1), input(#names + 2), input(#names + 3)
  if attributes.has_bias then
    p.bias, next_input = input(next_input), next_input + 1
  end
  if attributes.has_mask then p.mask = input(next_input) end
  p.time, p.units, p.batch = p.x.shape[2], p.recurrent.shape[1], p.x.shape[1]
  p.columns, p.type = gates * p.units, text.type(p.x.dtype)
  p.before, p.state = {}, {}
  for i, name in ipairs(names) do
    p.before[name] = input(i + 1)
    p.state[name] = step:result(op.first_output + i)
  end
  local sequence = op.first_output
  if #step.program.users[sequence] > 0 then p.sequence = step:result(sequence) end
  return p
end

-- Adds a row's product with a matrix to what is in `sums`.
local function add_product(step, p, size, row, matrix, sums)
  step:open("for (int k = 0; k < %d; k++) {", size)
  step:line("const %s x = %s;", p.type, row "k")
  step:open("for (int j = 0; j < %d; j++) {", p.columns)
  step:line("%s += x * %s;", step:place(sums, {"j"}), step:at(matrix, {"k", "j"}))
  step:close(2)
end

local function begin(step, p, sums, bias)
  step:open("for (int j = 0; j < %d; j++) {", p.columns)
  step:line("%s = %s;", step:place(sums, {"j"}), bias or "0")
  step:close()
end

local function copy_states(step, p, names)
  step:open("for (int u = 0; u < %d; u++) {", p.units)
  for _, name in ipairs(names) do
    step:line("%s = %s;", step:place(p.state[name], {"b", "u"}),
      step:at(p.before[name], {"b", "u"}))
  end
  step:close()
end

local function unit_sums(step, p, sums)
  return function(gate)
    local index = gate == 0 and "u" or ("%d + u"):format(gate * p.units)
    return step:at(sums, {index})
  end
end

-- The walk through time: `project` adds to the sums, `update` writes the new states of a unit.
local function walk(step, p, names, project, update)
  step:open("for (int b = 0; b < %d; b++) {", p.batch)
  copy_states(step, p, names)
  step:open("for (int s = 0; s < %d; s++) {", p.time)
  local time = "s"
  if p.op.attributes.go_backwards then time = ("%d - s"):format(p.time - 1) end
  if p.mask then step:open("if (%s) {", step:at(p.mask, {"b", time})) end
  project(time)
  step:open("for (int u = 0; u < %d; u++) {", p.units)
  update()
  step:close(p.mask and 2 or 1)
  if p.sequence then
    step:open("for (int u = 0; u < %d; u++) {", p.units)
    step:line("%s = %s;", step:place(p.sequence, {"b", "s", "u"}),
      step:at(p.state.h, {"b", "u"}))
    step:close()
  end
  step:close(2)
end

local function functions(step, p)
  local dtype = p.x.dtype
  return expressions.helper(step.program, "sigmoid", dtype),
    dtype == "float32" and "tanhf" or "tanh"
end

function recurrent.lstm_sequence(step, op)
  local names = {"h", "c"}
  local p = parts(step, op, names, 4)
  local sums = step:scratch(p.x.dtype, {p.columns})
  local sum = unit_sums(step, p, sums)
  local sigmoid, tanh = functions(step, p)
  walk(step, p, names, function(time)
    begin(step, p, sums, p.bias and step:at(p.bias, {"j"}))
    add_product(step, p, p.x.shape[3], function(k) return step:at(p.x, {"b", time, k}) end,
      p.kernel, sums)
    add_product(step, p, p.units, function(k) return step:at(p.state.h, {"b", k}) end,
      p.recurrent, sums)
  end, function()
    local h, c = step:place(p.state.h, {"b", "u"}), step:place(p.state.c, {"b", "u"})
    step:line("const %s input = %s(%s);", p.type, sigmoid, sum(0))
    step:line("const %s forget = %s(%s);", p.type, sigmoid, sum(1))
    step:line("const %s output = %s(%s);", p.type, sigmoid, sum(3))
    step:line("%s = forget * %s + input * %s(%s);", c, c, tanh, sum(2))
    step:line("%s = output * %s(%s);", h, tanh, c)
  end)
end

function recurrent.gru_sequence(step, op)
  local names = {"h"}
  local p = parts(step, op, names, 3)
  local of_input = step:scratch(p.x.dtype, {p.columns})
  local of_state = step:scratch(p.x.dtype, {p.columns})
  local x, r = unit_sums(step, p, of_input), unit_sums(step, p, of_state)
  local sigmoid, tanh = functions(step, p)
  walk(step, p, names, function(time)
    begin(step, p, of_input, p.bias and step:at(p.bias, {0, "j"}))
    add_product(step, p, p.x.shape[3], function(k) return step:at(p.x, {"b", time, k}) end,
      p.kernel, of_input)
    begin(step, p, of_state, p.bias and step:at(p.bias, {1, "j"}))
    add_product(step, p, p.units, function(k) return step:at(p.state.h, {"b", k}) end,
      p.recurrent, of_state)
  end, function()
    local h = step:place(p.state.h, {"b", "u"})
    step:line("const %s update = %s(%s + %s);", p.type, sigmoid, x(0), r(0))
    step:line("const %s reset = %s(%s + %s);", p.type, sigmoid, x(1), r(1))
    step:line("const %s candidate = %s(%s + reset * %s);", p.type, tanh, x(2), r(2))
    step:line("%s = update * %s + (1 - update) * candidate;", h, h)
  end)
end

return recurrent
