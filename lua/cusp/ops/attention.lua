--- Attention. Vaswani et al., "Attention is all you need" (2017).
-- @module cusp.ops.attention
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local rows = engine.ops

-- Far below any score, but finite: a row with no allowed position gives the mean, not NaN.
local function forbidden(dtype)
  return dtype == "float16" and -3e4 or -1e30
end

local function check_shapes(query, key, value)
  for name, x in pairs{query = query, key = key, value = value} do
    if #x.shape ~= 4 then
      errors.raise("dot_product_attention: %s should have shape [batch, time, heads, size], got %s",
        name, errors.shape(x.shape))
    end
  end
  if query.shape[3] % key.shape[3] ~= 0 then
    errors.raise("dot_product_attention: the number of query heads (%d) should be a multiple "
      .. "of the key heads (%d)", query.shape[3], key.shape[3])
  end
end

-- Transposes [batch, time, heads, size] to [batch, heads, time, size], repeating heads to match the
-- query.
local function heads_first(x, heads)
  local shared = heads // x.shape[3]
  if shared > 1 then x = rows["repeat"](x, shared, 3) end
  return rows.transpose(x, {1, 3, 2, 4})
end

local function causal_mask(targets, sources)
  local target = rows.reshape(rows.arange(0, targets, {dtype = "int32"}), {1, 1, targets, 1})
  return rows.greater_equal(target,
    rows.reshape(rows.arange(0, sources, {dtype = "int32"}), {1, 1, 1, sources}))
end

local function dot_product_attention(query, key, value, bias, mask, scale, is_causal, _, soft_cap)
  check_shapes(query, key, value)
  local heads, size = query.shape[3], query.shape[4]
  local q, k, v = heads_first(query, heads), heads_first(key, heads), heads_first(value, heads)
  local scores = rows.multiply(rows.matmul(q, rows.swapaxes(k, 3, 4)), scale or 1 / math.sqrt(size))
  if soft_cap then scores = rows.multiply(rows.tanh(rows.divide(scores, soft_cap)), soft_cap) end
  if bias ~= nil then scores = rows.add(scores, bias) end
  if mask ~= nil then
    scores = rows.where(rows.cast(mask, "bool"), scores, forbidden(scores.dtype))
  end
  if is_causal then
    scores = rows.where(causal_mask(q.shape[3], k.shape[3]), scores, forbidden(scores.dtype))
  end
  return rows.transpose(rows.matmul(rows.softmax(scores, -1), v), {1, 3, 2, 4})
end

define.op{
  "dot_product_attention",
  "query, key, value, bias?, mask?, scale: float = nil, is_causal: bool = false, flash_attention: "
  .. "any = nil, "
    .. "attn_logits_soft_cap: float = nil",
  "softmax(query key' scale + bias) value for each head; inputs [batch, time, heads, size].",
  dot_product_attention,
}
