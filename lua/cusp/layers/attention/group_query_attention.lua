--- Attention in which groups of query heads share a key and value head (Ainslie et al., "GQA",
-- 2023). Called as `attention(query, value)` or `attention(query, value, key)`: query `[batch, T,
-- dim]`, value and key `[batch, S, dim]`. Output `[batch, T, dim]`; with `{return_attention_scores
-- = true}` a list of the output and the scores `[batch, heads, T, S]`. With a `cache`, a list of
-- the output and the cache after the call, as in `cusp.layers.MultiHeadAttention`.
-- @classmod cusp.layers.GroupQueryAttention
-- @tparam integer head_dim
-- @tparam integer num_query_heads
-- @tparam integer num_key_value_heads a divisor of num_query_heads
-- @tparam[opt=0] number dropout
-- @tparam[opt=true] boolean use_bias
-- @tparam[opt=false] boolean use_gate
-- @tparam[opt] integer seed
local Layer = require "cusp.layers.machinery.layer"
local MultiHeadAttention = require "cusp.layers.attention.multi_head_attention"
local errors = require "cusp.base.errors"
local key_value_cache = require "cusp.layers.attention.key_value_cache"
local masks = require "cusp.base.masks"
local names = require "cusp.base.names"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

local GroupQueryAttention = Layer:extend("GroupQueryAttention", {
  positional_order = "head_dim num_query_heads num_key_value_heads dropout use_bias sliding_window "
    .. "flash_attention kernel_initializer bias_initializer kernel_regularizer "
    .. "bias_regularizer activity_regularizer kernel_constraint bias_constraint "
    .. "use_gate seed",
  supports_masking = true,
  call_arguments = {
    "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask",
    "return_attention_scores", "training", "use_causal_mask", "cache", "cache_update_index",
  },
  config = {
    {"head_dim", "integer", min = 1}, {"num_query_heads", "integer", min = 1},
    {"num_key_value_heads", "integer", min = 1},
    {"dropout", "number", min = 0, max = 1, default = 0.0}, options.flag("use_bias", true),
    {"flash_attention", "any", optional = true, transient = true},
    options.initializer("kernel", "glorot_uniform"),
    options.initializer("bias", "zeros"), options.regularizer "kernel", options.regularizer "bias",
    options.regularizer "activity",
    options.constraint "kernel", options.constraint "bias", options.flag("use_gate", false),
    options.seed(),
    {"sliding_window", "integer", min = 1, optional = true, keyword_only = true},
  },
  make_dense = MultiHeadAttention.make_dense,
})

local configuration = GroupQueryAttention.get_config -- what the declaration makes

--- The policies of the projections are in it, too, where those are quantized.
function GroupQueryAttention:get_config()
  local quantizing = require "cusp.layers.machinery.quantizing"
  return quantizing.with_policies(self, configuration(self))
end

function GroupQueryAttention:init(args)
  self:configure(args, GroupQueryAttention)
  -- Keras's class has a longer name than its export
  if args.name == nil then args.name = names.unique "grouped_query_attention" end
  Layer.init(self, args)
  if self.num_query_heads % self.num_key_value_heads ~= 0 then
    errors.raise(
      "GroupQueryAttention: num_query_heads (%d) should be a multiple of num_key_value_heads (%d)",
      self.num_query_heads,
      self.num_key_value_heads)
  end
end

local function project(self, name, heads, shape, activation)
  return self:make_dense(name, "bqm,muh->bquh", {shapes.None, heads, self.head_dim}, "uh",
    activation, shape)
end

function GroupQueryAttention:build(shape, others)
  if not others or not others.value then
    errors.raise "expected a query and a value: attention(query, value)"
  end
  self.query_dense = project(self, "query", self.num_query_heads, shape)
  self.key_dense = project(self, "key", self.num_key_value_heads, others.key or others.value)
  if self.use_gate then
    self.gate_dense = project(self, "gate", self.num_query_heads, shape, "sigmoid")
  end
  self.value_dense = project(self, "value", self.num_key_value_heads, others.value)
  self.softmax = require("cusp.layers.activations.rectifiers").Softmax{axis = -1,
    dtype = self.dtype_policy}
  self.dropout_layer = require "cusp.layers.regularization.dropout"{self.dropout, seed = self.seed,
    dtype = self.dtype_policy}
  self.output_dense = self:make_dense("attention_output", "bquh,uhm->bqm",
    {shapes.None, shape[#shape]}, "m", nil,
    {shape[1], shape[2], self.num_query_heads, self.head_dim})
end

--- The heads' outputs and the weights, of projected tensors.
function GroupQueryAttention:weigh(q, k, v, mask, args)
  local repeats = self.num_query_heads // self.num_key_value_heads
  k, v = ops["repeat"](k, repeats, 3), ops["repeat"](v, repeats, 3)
  local scores = ops.einsum("bquh,bkuh->buqk", ops.multiply(q, self:score_scale()), k)
  local weights = self.softmax(scores, {mask = mask and ops.expand_dims(mask, -3)})
  local kept = MultiHeadAttention.drop(self, weights, args)
  return ops.einsum("buqk,bkuh->bquh", kept, v), weights
end

function GroupQueryAttention:score_scale() return 1 / math.sqrt(self.head_dim) end

function GroupQueryAttention.in_tiles() return true end

function GroupQueryAttention:call(query, args)
  local value = args.value
  if not value then errors.raise "expected a query and a value: attention(query, value)" end
  local key = args.key or value
  args.value_mask = args.value_mask or masks.get(value)
  args.key_mask = args.key_mask or args.key and masks.get(key) or nil
  if args.cache ~= nil or args.cache_update_index ~= nil then
    key_value_cache.check(self, args,
      {query.shape[1], 2, 0, self.num_key_value_heads, self.head_dim})
  end
  local gate = self.gate_dense and self.gate_dense(query)
  local outputs, weights, cache = MultiHeadAttention.attend(self, query, key, value, args,
    args.query_mask or masks.get(query))
  outputs = self.output_dense(gate and ops.multiply(outputs, gate) or outputs)
  return MultiHeadAttention.results(outputs, weights, cache, args)
end

return GroupQueryAttention
