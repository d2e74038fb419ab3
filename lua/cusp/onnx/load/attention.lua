--- Attention in its kinds, and the convolutions that stand in its place.
-- @module cusp.onnx.load.attention
local dtypes = require "cusp.onnx.messages.dtypes"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local values = require "cusp.onnx.load.values"
local windows = require "cusp.onnx.load.windows"

local operators = {}

-- [batch, time, heads * size] to [batch, heads, time, size]
local function split_heads(x, heads)
  if not heads then errors.raise "the number of heads is needed for inputs of rank 3" end
  return ops.transpose(ops.reshape(x, {x.shape[1], x.shape[2], heads, -1}), {1, 3, 2, 4})
end

local function join_heads(x)
  return ops.reshape(ops.transpose(x, {1, 3, 2, 4}), {x.shape[1], x.shape[3], -1})
end

local function repeat_heads(x, heads)
  if x.shape[2] == heads then return x end
  if heads % x.shape[2] ~= 0 then
    errors.raise("%d heads of queries cannot share %d of keys", heads, x.shape[2])
  end
  return ops["repeat"](x, heads // x.shape[2], 2)
end

---------------------------------------------------------------- masks

local function minus_infinity(dtype) return values.scalar(-math.huge, dtype) end

-- Zero where allowed, minus infinity elsewhere.
local function bias_of(allowed, dtype)
  return ops.where(allowed, values.scalar(0.0, dtype), minus_infinity(dtype))
end

local function given_bias(mask, keys, dtype)
  if not mask then return nil end
  local missing = keys - mask.shape[#mask.shape]
  local bias = mask.dtype == "bool" and bias_of(mask, dtype) or mask
  if missing > 0 then
    local widths = values.fill(#bias.shape, {0, 0})
    widths[#widths] = {0, missing}
    bias = ops.pad(bias, widths, "constant", minus_infinity(bias.dtype))
  end
  return bias
end

-- The distance of each key behind each query: [1 or batch, 1, queries, keys].
local function distances(queries, keys, offset)
  local i = ops.reshape(ops.arange(queries), {1, 1, queries, 1})
  local j = ops.reshape(ops.arange(keys), {1, 1, 1, keys})
  if type(offset) ~= "number" then
    offset = ops.reshape(ops.cast(offset, "int32"), {-1, 1, 1, 1})
  end
  return ops.subtract(ops.add(i, offset), j)
end

local function window_allowed(node, distance)
  local left, right, allowed = node.a.left_window_size or -1, node.a.right_window_size or -1, nil
  if node.a.is_causal == 1 then allowed = ops.greater_equal(distance, 0) end
  local function also(condition)
    allowed = allowed and ops.logical_and(allowed, condition) or condition
  end
  if left >= 0 then also(ops.less_equal(distance, left)) end
  if right >= 0 then also(ops.greater_equal(distance, -right)) end
  return allowed
end

local function add(a, b) return a and b and ops.add(a, b) or a or b end

local function whole_bias(node, mask, queries, keys, past, lengths, dtype)
  local bias = given_bias(mask, keys, dtype)
  local offset = past
  if lengths and past == 0 then offset = ops.subtract(ops.cast(lengths, "int32"), queries) end
  local allowed = window_allowed(node, distances(queries, keys, offset))
  if allowed then bias = add(bias, bias_of(allowed, dtype)) end
  if lengths then
    local inside = ops.less(ops.reshape(ops.arange(keys), {1, 1, 1, keys}),
      ops.reshape(ops.cast(lengths, "int32"), {-1, 1, 1, 1}))
    bias = add(bias, bias_of(inside, dtype))
  end
  return bias
end

---------------------------------------------------------------- Attention

-- Rows that may look at nothing are zero.
local function probabilities(node, scores, bias)
  local dtype = scores.dtype
  if node.a.softmax_precision then
    scores = values.cast(scores, dtypes.name(node.a.softmax_precision) or dtype)
  end
  local result = values.cast(values.softmax(scores, -1), dtype)
  if not bias then return result end
  local none = ops.isneginf(ops.amax(bias, -1, true))
  return ops.where(none, values.scalar(0.0, dtype), result)
end

local function softcapped(scores, cap)
  if not cap or cap <= 0 then return scores end
  return ops.multiply(ops.tanh(ops.divide(scores, cap)), cap)
end

local function scaled_product(q, k, scale)
  local root = math.sqrt(scale or 1 / math.sqrt(q.shape[4]))
  return ops.matmul(ops.multiply(q, root),
    ops.multiply(ops.transpose(k, {1, 2, 4, 3}), root))
end

function operators.Attention(node, q, k, v, mask, past_key, past_value, lengths)
  local three, a = #q.shape == 3, node.a
  if three then
    q, k, v = split_heads(q, a.q_num_heads), split_heads(k, a.kv_num_heads),
      split_heads(v, a.kv_num_heads)
  end
  if past_key then k, v = ops.concatenate({past_key, k}, 3), ops.concatenate({past_value, v}, 3) end
  local present_key, present_value = k, v
  k, v = repeat_heads(k, q.shape[2]), repeat_heads(v, q.shape[2])
  local product = scaled_product(q, k, a.scale)
  local capped = softcapped(product, a.softcap)
  local bias = whole_bias(node, mask, q.shape[3], k.shape[3],
    past_key and past_key.shape[3] or 0, lengths, q.dtype)
  local scores = bias and values.cast(ops.add(capped, bias), q.dtype) or capped
  local rows = probabilities(node, scores, bias)
  local shown = ({[0] = capped, capped, scores, rows})[a.qk_matmul_output_mode or 0]
  local y = ops.matmul(rows, v)
  return three and join_heads(y) or y, present_key, present_value, shown
end

local function modified(node, graph, x)
  return graph and values.cast(graph:inside(node.env, x)[1], x.dtype) or x
end

function operators.FlexAttention(node, q, k, v)
  local a, dtype = node.a, v.dtype
  k, v = repeat_heads(k, q.shape[2]), repeat_heads(v, q.shape[2])
  local scores = scaled_product(q, k, a.scale)
  local wide = a.softmax_precision and dtypes.name(a.softmax_precision)
    or (scores.dtype == "float64" and "float64" or "float32")
  scores = modified(node, a.score_mod, values.cast(scores, wide))
  local rows = modified(node, a.prob_mod, ops.softmax(scores, -1))
  return values.cast(ops.matmul(rows, values.cast(v, wide)), dtype)
end

---------------------------------------------------------------- attention without softmax

local function at_step(x, step) return x and ops.squeeze(ops.slice(x, {0, 0, step - 1, 0},
  {x.shape[1], x.shape[2], 1, x.shape[4]}), 3) end

-- state [batch, heads, key, value]; what one step makes of it
local function next_state(state, key, value, decay, beta)
  if decay then state = ops.multiply(state, ops.expand_dims(ops.exp(decay), -1)) end
  if beta then
    local known = ops.sum(ops.multiply(state, ops.expand_dims(key, -1)), 3)
    value = ops.multiply(beta, ops.subtract(value, known))
  end
  return ops.add(state, ops.multiply(ops.expand_dims(key, -1), ops.expand_dims(value, -2)))
end

local function wide_heads(x, heads)
  return x and ops.cast(split_heads(x, heads), "float32")
end

function operators.LinearAttention(node, query, key, value, past, decay, beta)
  local a, dtype = node.a, query.dtype
  local q, k = wide_heads(query, a.q_num_heads), wide_heads(key, a.kv_num_heads)
  local v, d = wide_heads(value, a.kv_num_heads), wide_heads(decay, a.kv_num_heads)
  local b = beta and wide_heads(beta, beta.shape[3])
  local scale = (a.scale or 0) ~= 0 and a.scale or 1 / math.sqrt(q.shape[4])
  local state = past and ops.cast(past, "float32")
    or ops.zeros{q.shape[1], k.shape[2], k.shape[4], v.shape[4]}
  local outputs = {}
  for step = 1, values.limit_steps(q.shape[3], "the sequence") do
    state = next_state(state, at_step(k, step), at_step(v, step), at_step(d, step),
      at_step(b, step))
    local read = repeat_heads(state, q.shape[2])
    local row = ops.sum(ops.multiply(ops.expand_dims(at_step(q, step), -1), read), 3)
    outputs[step] = ops.multiply(row, scale)
  end
  return values.cast(join_heads(ops.stack(outputs, 3)), dtype),
    values.cast(state, past and past.dtype or dtype)
end

function operators.CausalConvWithState(node, x, w, bias, past)
  local k, channels = w.shape[3], x.shape[2]
  local before = past or ops.zeros({x.shape[1], channels, k - 1}, {dtype = x.dtype})
  local padded = ops.concatenate({before, x}, 3)
  local y = windows.Conv({a = {group = channels}, opset = node.opset}, padded, w, bias)
  local activation = node.a.activation or "none"
  if activation ~= "none" then y = values.cast(ops.silu(ops.cast(y, "float32")), x.dtype) end
  local length = padded.shape[3]
  return values.cast(y, x.dtype),
    ops.slice(padded, {0, 0, length - k + 1}, {x.shape[1], channels, k - 1})
end

return operators
