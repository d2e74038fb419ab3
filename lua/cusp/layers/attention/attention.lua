--- Single-head attention without projections: `Attention` (Luong) and `AdditiveAttention`
-- (Bahdanau). Called on `{query, value}` or `{query, value, key}`: query `[batch, Tq, dim]`, value
-- `[batch, Tv, dim]`, key `[batch, Tv, dim]`. Output `[batch, Tq, dim]`; with
-- `{return_attention_scores = true}` a list of the output and the scores `[batch, Tq, Tv]`. A mask
-- is a list for query and value. `{use_causal_mask = true}` hides later positions.
-- @module cusp.layers.attention.attention
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"
local structure = require "cusp.base.structure"

--- Dot-product attention; with score_mode "concat", scores use `tanh(query + key)`.
-- @tparam[opt=false] boolean use_scale learn a scale of the scores
-- @tparam[opt="dot"] string score_mode "dot" or "concat"
-- @tparam[opt=0] number dropout of the scores
-- @tparam[opt] integer seed
local Attention = Layer:extend("Attention", {
  supports_masking = true,
  call_arguments = {"mask", "training", "return_attention_scores", "use_causal_mask"},
  config = {
    options.flag("use_scale", false),
    {"score_mode", "choice", choices = {"dot", "concat"}, default = "dot"},
    {"dropout", "number", min = 0, max = 1, default = 0.0}, options.seed(),
  },
})

local function check(value, what)
  if not structure.is_container(value) or structure.is_shape(value) or #value < 2 or #value > 3 then
    errors.raise("expected a list of %s: query, value and, if it is another than the value, key",
      what)
  end
end

function Attention:build(shape)
  check(shape, "tensors")
  self.generator = random.SeedGenerator{self.seed}
  if self.use_scale then
    self.scale = self:add_weight{name = "scale", shape = {}, initializer = "ones"}
  end
  if self.score_mode == "concat" then
    self.concat_score_weight = self:add_weight{name = "concat_score_weight", shape = {},
      initializer = "ones"}
  end
end

--- Combines every query with every key: `[batch, Tq, Tv, dim]`.
local function sums(query, key)
  return ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))
end

function Attention:scores(query, key)
  if self.score_mode == "dot" then
    local scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
    return self.scale and ops.multiply(scores, self.scale) or scores
  end
  local both = sums(query, key)
  if self.scale then both = ops.multiply(both, self.scale) end
  return ops.multiply(ops.sum(ops.tanh(both), -1), self.concat_score_weight)
end

--- The keys that each query may attend to; nil: all.
local function allowed(query, key, value_mask, causal)
  local mask = value_mask and ops.expand_dims(ops.cast(value_mask, "bool"), -2) or nil
  if not causal then return mask end
  local rows = ops.reshape(ops.arange(query.shape[#query.shape - 1]), {1, -1, 1})
  local columns = ops.reshape(ops.arange(key.shape[#key.shape - 1]), {1, 1, -1})
  local earlier = ops.greater_equal(rows, columns)
  return mask and ops.logical_and(mask, earlier) or earlier
end

--- What is taken off the scores of hidden positions.
local function much(dtype) return dtype == "float16" and 65504.0 or 1e9 end

--- The outputs in tiles, where nobody needs the scores.
local function attend(self, query, key, value, value_mask, causal)
  local bias
  if value_mask then
    local seen = ops.expand_dims(allowed(query, key, value_mask, causal), -3)
    bias, causal = ops.where(seen, 0.0, -much(query.dtype)), false
  end
  if self.scale then query = ops.multiply(query, self.scale) end
  local function one_head(x) return ops.expand_dims(x, -2) end
  return ops.squeeze(ops.dot_product_attention(one_head(query), one_head(key), one_head(value),
    {bias = bias, scale = 1.0, is_causal = causal or false}), -2)
end

--- The outputs, and the weights of the values.
function Attention:weigh(query, key, value, value_mask, args)
  local scores = self:scores(query, key)
  local seen = allowed(query, key, value_mask, args.use_causal_mask)
  if seen then
    scores = ops.where(seen, scores, ops.subtract(scores, much(scores.dtype)))
  end
  local weights = ops.softmax(scores, -1)
  if args.training and self.dropout > 0 then
    weights = random.dropout(weights, self.dropout, {seed = self.generator})
  end
  return ops.matmul(weights, value), weights
end

function Attention:call(inputs, args)
  check(inputs, "tensors")
  local query, value = inputs[1], inputs[2]
  local key, mask = inputs[3] or value, args.mask
  local value_mask = mask and mask[2] or nil
  local outputs, weights
  if self.score_mode == "dot" and query.ndim == 3 and not args.return_attention_scores
    and not (args.training and self.dropout > 0) then
    outputs = attend(self, query, key, value, value_mask, args.use_causal_mask)
  else
    outputs, weights = self:weigh(query, key, value, value_mask, args)
  end
  if mask and mask[1] then
    outputs = ops.where(ops.expand_dims(ops.cast(mask[1], "bool"), -1), outputs,
      ops.zeros_like(outputs))
  end
  if args.return_attention_scores then return {outputs, weights} end
  return outputs
end

function Attention:compute_mask(_, mask)
  return mask and mask[1] or nil
end

function Attention:compute_output_shape(input_shape)
  check(input_shape, "shapes")
  local query, value = input_shape[1], input_shape[2]
  local shape = table.move(query, 1, #query, 1, {})
  shape[#shape] = value[#value]
  return shape
end
Attention.shape_depends_on_arguments = true

--- Attention with the scores `sum(scale * tanh(query + key))`.
-- @tparam[opt=true] boolean use_scale learn a scale per feature
-- @tparam[opt=0] number dropout
local AdditiveAttention = Attention:extend("AdditiveAttention", {
  config = {options.flag("use_scale", true), {"dropout", "number", min = 0, max = 1, default = 0.0},
    options.seed()},
})

function AdditiveAttention:init(args)
  self:configure(args, AdditiveAttention)
  Layer.init(self, args)
end

function AdditiveAttention:get_config()
  local ordered = require "cusp.base.ordered"
  local config = Layer.get_config(self)
  for _, row in ipairs(AdditiveAttention.config) do
    local value = self[row[1]]
    if value == nil then value = require "cusp.base.null" end
    ordered.set(config, row[1], value)
  end
  return config
end

function AdditiveAttention:build(shape)
  check(shape, "tensors")
  self.generator = random.SeedGenerator{self.seed}
  local query = shape[1]
  if self.use_scale then self.scale = self:add_weight{name = "scale", shape = {query[#query]}} end
end

function AdditiveAttention:scores(query, key)
  local both = ops.tanh(sums(query, key))
  if self.scale then both = ops.multiply(both, self.scale) end
  return ops.sum(both, -1)
end

return {Attention = Attention, AdditiveAttention = AdditiveAttention}
