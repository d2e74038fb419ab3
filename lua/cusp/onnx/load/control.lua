--- Control flow, and the values that are no tensors: sequences and optional values.
-- @module cusp.onnx.load.control
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"

local operators = {}

local function is_true(value) return value == true or value == 1 or type(value) == "number"
  and value ~= 0 end

local function known(condition, what)
  return is_true(values.number(condition, what))
end

---------------------------------------------------------------- branches

local function branch(graph, env)
  return function()
    local results = graph:inside(env)
    return table.unpack(results)
  end
end

function operators.If(node, condition)
  local yes, no = node.a.then_branch, node.a.else_branch
  if not engine.is_traced(condition) then
    return table.unpack((known(condition, "If's condition") and yes or no):inside(node.env))
  end
  return ops.cond(ops.reshape(condition, {}), branch(yes, node.env), branch(no, node.env))
end

---------------------------------------------------------------- loops

-- Appends one iteration's outputs to the lists of what is gathered.
local function gather(lists, results, first)
  for i = first, #results do
    local list = lists[i - first + 1] or {}
    list[#list + 1] = results[i]
    lists[i - first + 1] = list
  end
end

local function is_sequence(value) return type(value) == "table" and value.sequence ~= nil end

local function stacked(lists, count)
  local results = {}
  for i = 1, count do
    local list = lists[i]
    if not list then
      results[i] = ops.zeros({0})
    elseif is_sequence(list[1]) then
      errors.raise "a loop cannot gather sequences"
    else
      results[i] = ops.stack(list, 1)
    end
  end
  return results
end

local function joined(carried, gathered)
  local results = {table.unpack(carried)}
  for _, value in ipairs(gathered) do results[#results + 1] = value end
  return table.unpack(results)
end

-- The condition is computed from the inputs' values: a loop of the engine's, which can carry values
-- but gather none.
local function traced_loop(node, limit, condition, carried)
  local body, env, n = node.a.body, node.env, #carried
  if #node.outputs > n then
    errors.raise("a loop whose number of iterations depends on the inputs' values cannot gather"
      .. " its outputs in a compiled step (compile{run_eagerly = true} may help)")
  end
  local function continues(step, go)
    local more = ops.cast(ops.reshape(go, {}), "bool")
    if not limit then return more end
    return ops.logical_and(more, ops.less(step, limit))
  end
  local function iterate(step, go, ...)
    local results = body:inside(env, step, go, ...)
    return ops.add(step, values.scalar(1, "int64")), table.unpack(results)
  end
  local start = condition or values.scalar(true, "bool")
  local results = {ops.while_loop(continues, iterate,
    {values.scalar(0, "int64"), start, table.unpack(carried)})}
  if #results == 1 and type(results[1]) == "table" then results = results[1] end
  return table.unpack(results, 3)
end

local function all_tensors(list)
  for _, value in ipairs(list) do
    if not engine.is_tensor(value) then return false end
  end
  return true
end

-- The rounds as one graph that is repeated, where a trace allows: nil where what a round computes
-- has to be known, or changes its shape.
-- @tparam function round gets the carried values and an item of `xs`; returns the next carried
-- values and what is gathered, as lists
local function repeated(count, carried, xs, round)
  if count < 2 or not engine.tracing() or not all_tensors(carried) then return nil end
  local ok, last, gathered = engine.attempt(ops.scan, round, carried, xs, count)
  if ok then return last, gathered or {} end
end

local most_rounds <const> = 1 << 24 -- of a loop that goes by a list of its rounds

-- The condition stays true, or an error ends the attempt.
local function repeated_loop(node, count, condition, carried)
  if not engine.tracing() or count > most_rounds then return nil end
  local n, yes = #carried, condition or values.scalar(true, "bool")
  return repeated(count, carried, ops.arange(0, count, 1, "int64"), function(now, step)
    local results = node.a.body:inside(node.env, step, yes, table.unpack(now, 1, n))
    if engine.is_traced(results[1]) or not known(results[1], "Loop's condition") then
      errors.raise "the condition changes"
    end
    return {table.unpack(results, 2, n + 1)}, {table.unpack(results, n + 2)}
  end)
end

function operators.Loop(node, limit, condition, ...)
  local carried, lists, step = {...}, {}, 0
  local n = #carried
  limit = limit and ops.reshape(limit, {})
  if engine.is_traced(condition) or engine.is_traced(limit) then
    return traced_loop(node, limit, condition, carried)
  end
  local most = limit and values.number(limit, "Loop's count") or math.huge
  if most < math.huge and (not condition or known(condition, "Loop's condition")) then
    local last, gathered = repeated_loop(node, most, condition, carried)
    if last then return joined(last, gathered) end
  end
  while step < most and (not condition or known(condition, "Loop's condition")) do
    local results = node.a.body:inside(node.env, values.scalar(step, "int64"),
      condition or values.scalar(true, "bool"), table.unpack(carried))
    condition = results[1]
    if engine.is_traced(condition) then
      if step == 0 then return traced_loop(node, limit, values.scalar(true, "bool"), carried) end
      errors.raise "a loop's condition depends on the inputs' values only from the second step on"
    end
    gather(lists, results, n + 2)
    carried = {table.unpack(results, 2, n + 1)}
    step = step + 1
  end
  return joined(carried, stacked(lists, #node.outputs - n))
end

local function scan_axis(axes, i, rank)
  return values.position(axes and axes[i] or 0, rank)
end

local function is_backwards(directions, i) return directions ~= nil and directions[i] == 1 end

local function scan_forward(node, carried, sequences, length)
  local n, lists = #carried, {}
  local function round(now, items)
    local results = node.a.body:inside(node.env, joined(now, items))
    return {table.unpack(results, 1, n)}, {table.unpack(results, n + 1)}
  end
  local last, gathered = repeated(length, carried, sequences, round)
  if last then return last, gathered end
  for step = 1, values.limit_steps(length, "the sequence") do
    local items = {}
    for i, sequence in ipairs(sequences) do items[i] = sequence[step] end
    local next_carried, results = round(carried, items)
    carried = next_carried
    gather(lists, results, 1)
  end
  return carried, stacked(lists, #node.outputs - n)
end

local function scan(node, carried, sequences)
  local a, length = node.a, nil
  for i, sequence in ipairs(sequences) do
    sequence = ops.moveaxis(sequence, scan_axis(a.scan_input_axes, i, #sequence.shape), 1)
    if is_backwards(a.scan_input_directions, i) then sequence = ops.flip(sequence, 1) end
    sequences[i], length = sequence, length or sequence.shape[1]
    if sequence.shape[1] ~= length then
      errors.raise "the sequences have different lengths"
    end
  end
  local gathered
  carried, gathered = scan_forward(node, carried, sequences, length or 0)
  for i, value in ipairs(gathered) do
    if is_backwards(a.scan_output_directions, i) then value = ops.flip(value, 1) end
    gathered[i] = ops.moveaxis(value, 1, scan_axis(a.scan_output_axes, i, #value.shape))
  end
  return carried, gathered
end

local function split_scan(node, inputs)
  local scanned = math.tointeger(node.a.num_scan_inputs) or 0
  local count = #inputs - scanned
  if scanned < 1 or count < 0 then
    errors.raise("num_scan_inputs should be from 1 to %d, the inputs that there are, got %s",
      #inputs, errors.describe(node.a.num_scan_inputs))
  end
  return {table.unpack(inputs, 1, count)}, {table.unpack(inputs, count + 1)}
end

-- Opset 8: a first input of lengths, and a batch axis on everything.
local function batched_scan(node, _, ...)
  local carried, sequences = split_scan(node, {...})
  local rows = {}
  local batch = values.limit_steps((carried[1] or sequences[1]).shape[1], "the batch")
  for b = 1, batch do
    local states, parts = {}, {}
    for i, value in ipairs(carried) do states[i] = value[b] end
    for i, value in ipairs(sequences) do parts[i] = value[b] end
    rows[b] = {joined(scan(node, states, parts))}
  end
  local results = {}
  for i = 1, #rows[1] do
    local list = {}
    for b = 1, batch do list[b] = rows[b][i] end
    results[i] = ops.stack(list, 1)
  end
  return table.unpack(results)
end

function operators.Scan(node, ...)
  if node.opset < 9 then return batched_scan(node, ...) end
  return joined(scan(node, split_scan(node, {...})))
end

---------------------------------------------------------------- sequences

local function sequence(list) return {sequence = list} end

local function items(value)
  if not is_sequence(value) then
    errors.raise("expected a sequence, got %s", errors.describe(value))
  end
  return value.sequence
end

local function place(list, input, last)
  local at = input and values.number(input, "the position") or last
  if at < 0 then at = at + #list end
  if at < 0 or at > last then
    errors.raise("position %d is outside of a sequence of %d", at, #list)
  end
  return at + 1
end

function operators.SequenceEmpty() return sequence{} end
function operators.SequenceConstruct(_, ...) return sequence{...} end
function operators.SequenceLength(_, s) return values.scalar(#items(s), "int64") end

function operators.SequenceAt(_, s, at)
  local list = items(s)
  return list[place(list, at, #list - 1)]
end

function operators.SequenceInsert(_, s, tensor, at)
  local list = {table.unpack(items(s))}
  table.insert(list, place(list, at, #list), tensor)
  return sequence(list)
end

function operators.SequenceErase(_, s, at)
  local list = {table.unpack(items(s))}
  table.remove(list, place(list, at, #list - 1))
  return sequence(list)
end

function operators.ConcatFromSequence(node, s)
  local axis = values.axis(node.a.axis)
  if node.a.new_axis == 1 then return ops.stack(items(s), axis) end
  return ops.concatenate(items(s), axis)
end

local function part(x, axis, first, count)
  local starts, sizes = values.fill(#x.shape, 0), {table.unpack(x.shape)}
  starts[axis], sizes[axis] = first, count
  return ops.slice(x, starts, sizes)
end

function operators.SplitToSequence(node, x, split)
  local axis, list = values.position(node.a.axis or 0, #x.shape), {}
  local size, at, sizes = x.shape[axis], 0, {}
  if split and #split.shape > 0 then
    sizes = values.list(split, "SplitToSequence's sizes")
  else
    local each = split and values.number(split, "SplitToSequence's size") or 1
    if each < 1 then errors.raise("parts of %d elements", each) end
    values.limit_steps(size // each, "the axis")
    for first = 0, size - 1, each do sizes[#sizes + 1] = math.min(each, size - first) end
  end
  for i, count in ipairs(sizes) do
    list[i] = part(x, axis, at, count)
    if not split and (node.a.keepdims or 1) == 0 then list[i] = ops.squeeze(list[i], axis) end
    at = at + count
  end
  return sequence(list)
end

function operators.SequenceMap(node, first, ...)
  local rest, lists = {...}, {}
  for i in ipairs(items(first)) do
    local inputs = {items(first)[i]}
    for k, value in ipairs(rest) do
      inputs[k + 1] = is_sequence(value) and value.sequence[i] or value
    end
    gather(lists, node.a.body:inside(node.env, table.unpack(inputs)), 1)
  end
  local results = {}
  for i = 1, #node.outputs do results[i] = sequence(lists[i] or {}) end
  return table.unpack(results)
end

---------------------------------------------------------------- optional values

function operators.Optional(_, value) return {optional = value or false} end

local function content(value)
  if type(value) == "table" and value.optional ~= nil then return value.optional or nil end
  return value
end

function operators.OptionalGetElement(_, value)
  local inner = content(value)
  if inner == nil then errors.raise "the optional value is empty" end
  return inner
end

function operators.OptionalHasElement(_, value)
  return values.scalar(content(value) ~= nil, "bool")
end

return operators
