--- Dot-product attention.
-- @module cusp.export_c.attention
local arrays = require "cusp.export_c.arrays"
local expressions = require "cusp.export_c.expressions"
local text = require "cusp.export_c.text"

local attention = {}

local HIDDEN = -1e30 -- the score of a position that is not to be seen

local function suffix(dtype) return dtype == "float32" and "f" or "" end

local function describe(step, op)
  local a, attributes = {dtype = nil}, op.attributes
  a.query, a.key, a.value = step:array(op.inputs[1]), step:array(op.inputs[2]),
    step:array(op.inputs[3])
  local q, k = a.query.shape, a.key.shape
  a.dtype, a.batch, a.targets, a.heads, a.size = a.query.dtype, q[1], q[2], q[3], q[4]
  a.sources, a.depth = k[2], a.value.shape[4]
  a.share = a.heads // k[3] -- heads of the query for one of the key
  local grid, next_input = {a.batch, a.heads, a.targets, a.sources}, 4
  if attributes.has_bias then
    a.bias = arrays.broadcast(step:array(op.inputs[next_input]), grid)
    next_input = next_input + 1
  end
  if attributes.has_mask then a.mask = arrays.broadcast(step:array(op.inputs[next_input]), grid) end
  return a
end

-- Writes the score of target t and source s.
local function write_score(step, a, attributes, group, place)
  step:line("%s score = 0;", text.type(a.dtype))
  step:open("for (int d = 0; d < %d; d++) {", a.size)
  step:line("score += %s * %s;", step:at(a.query, {"b", "t", "h", "d"}),
    step:at(a.key, {"b", "s", group, "d"}))
  step:close()
  step:line("score *= %s;", text.literal(attributes.scale, a.dtype))
  if attributes.soft_cap ~= 0 then
    local cap = text.literal(attributes.soft_cap, a.dtype)
    step:line("score = tanh%s(score / %s) * %s;", suffix(a.dtype), cap, cap)
  end
  local at = {"b", "h", "t", "s"}
  if a.bias then step:line("score += %s;", step:at(a.bias, at)) end
  local hidden = {}
  if a.mask then hidden[1] = "!" .. step:at(a.mask, at) end
  if attributes.is_causal then hidden[#hidden + 1] = "s > t" end
  if #hidden > 0 then
    step:line("if (%s)", table.concat(hidden, " || "))
    step:line("  score = %s;", text.literal(HIDDEN, a.dtype))
  end
  step:line("%s = score;", place)
  step:line("largest = %s(score, largest);", expressions.helper(step.program, "maximum", a.dtype))
end

function attention.attention_tiles(step, op)
  local a, result = describe(step, op), step:result(op.first_output)
  local scores = step:scratch(a.dtype, {a.sources})
  local group = a.share == 1 and "h" or ("h / %d"):format(a.share)
  local place = step:place(scores, {"s"})
  step:open("for (int b = 0; b < %d; b++) {", a.batch)
  step:open("for (int h = 0; h < %d; h++) {", a.heads)
  step:open("for (int t = 0; t < %d; t++) {", a.targets)
  step:line("%s largest = -INFINITY, sum = 0;", text.type(a.dtype))
  step:open("for (int s = 0; s < %d; s++) {", a.sources)
  write_score(step, a, op.attributes, group, place)
  step:close()
  step:open("for (int s = 0; s < %d; s++) {", a.sources)
  step:line("%s = exp%s(%s - largest);", place, suffix(a.dtype), place)
  step:line("sum += %s;", place)
  step:close()
  step:open("for (int e = 0; e < %d; e++) {", a.depth)
  step:line("%s mean = 0;", text.type(a.dtype))
  step:line("for (int s = 0; s < %d; s++)", a.sources)
  step:line("  mean += %s * %s;", place, step:at(a.value, {"b", "s", group, "e"}))
  step:line("%s = mean / sum;", step:place(result, {"b", "t", "h", "e"}))
  step:close(4)
end

return attention
