--- Attention over [batch, time, heads, size], as products and a softmax.
-- @module cusp.onnx.export.attention
local rules = {}

local hidden = -1e30 -- the score of what is not to be seen, as the engine has it

local function concatenated(...)
  local list = {}
  for _, part in ipairs{...} do table.move(part, 1, #part, #list + 1, list) end
  return list
end

-- [batch, time, heads, size] to [batch, groups, heads of a group, ...]; `order` of the five axes.
local function grouped(g, node, value, i, groups, order)
  local sizes = node:known_sizes(node:input_sizes(i))
  local apart = {sizes[1], sizes[2], groups, sizes[3] // groups, sizes[4]}
  return g:transpose(g:node("Reshape", {value, g:size_list(apart)}), order)
end

local function sizes_of(node, i) return node:known_sizes(node:input_sizes(i)) end

-- Hides what a mask, which is true for what can be seen, does not show.
local function hide(g, node, mask, scores)
  return g:node("Where", {mask, scores, g:number(hidden, node.dtype)})
end

local function causal(g, targets, sources)
  local function line(size, shape)
    local count = g:squeeze(g:size(size), {0})
    local range = g:node("Range", {g:number(0, "int64"), count, g:number(1, "int64")})
    return g:node("Reshape", {range, g:ints(shape)})
  end
  return g:node("GreaterOrEqual", {line(targets, {-1, 1}), line(sources, {1, -1})})
end

-- [batch, heads, targets, sources]
local function scores_of(g, node, inputs, groups)
  local a, q, k = node.attributes, sizes_of(node, 1), sizes_of(node, 2)
  local product = g:node("MatMul", {grouped(g, node, inputs[1], 1, groups, {0, 2, 3, 1, 4}),
    grouped(g, node, inputs[2], 2, groups, {0, 2, 3, 4, 1})})
  local scores = g:node("Reshape", {product, g:size_list{q[1], q[3], q[2], k[2]}})
  scores = g:node("Mul", {scores, g:number(a.scale, node.dtype)})
  if a.soft_cap ~= 0 then
    local share = g:node("Tanh", {g:node("Div", {scores, g:number(a.soft_cap, node.dtype)})})
    scores = g:node("Mul", {share, g:number(a.soft_cap, node.dtype)})
  end
  local next_input = 4
  if a.has_bias then
    scores, next_input = g:node("Add", {scores, inputs[next_input]}), next_input + 1
  end
  if a.has_mask then scores = hide(g, node, inputs[next_input], scores) end
  return a.is_causal and hide(g, node, causal(g, q[2], k[2]), scores) or scores
end

function rules.attention_tiles(g, node, inputs)
  local groups = node.input_shapes[2][3]
  local q, v = sizes_of(node, 1), sizes_of(node, 3)
  local weights = g:node("Softmax", {scores_of(g, node, inputs, groups)}, {axis = -1})
  local apart = {q[1], groups, q[3] // groups, q[2], v[2]}
  weights = g:node("Reshape", {weights, g:size_list(apart)})
  local out = g:node("MatMul", {weights, grouped(g, node, inputs[3], 3, groups, {0, 2, 3, 1, 4})})
  out = g:transpose({name = out.name}, {0, 3, 1, 2, 4})
  return {g:node("Reshape", {out, g:size_list(concatenated({q[1], q[2], q[3]}, {v[4]}))})}
end

return rules
