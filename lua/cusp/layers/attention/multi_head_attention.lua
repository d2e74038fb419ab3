--- Attention with several heads (Vaswani et al., "Attention is all you need", 2017). Called as
-- `attention(query, value)` or `attention(query, value, key)`: query `[batch, T, ..., dim]`, value
-- and key `[batch, S, ..., dim]`. Output `[batch, T, ..., dim]`; with `{return_attention_scores =
-- true}` a list of the output and the scores `[batch, heads, T, S]`. Masks of query, value and key,
-- an `attention_mask` `[batch, T, S]` and `use_causal_mask` are combined. With a `cache` `[batch,
-- 2, length, heads, size]`, a list of the output and the cache after the call: see
-- `cusp.layers.attention.key_value_cache`.
-- @classmod cusp.layers.MultiHeadAttention
-- @tparam integer num_heads
-- @tparam integer key_dim size of each head's query and key
-- @tparam[opt] integer value_dim by default key_dim
-- @tparam[opt=0] number dropout of the scores
-- @tparam[opt=true] boolean use_bias
-- @tparam[opt] integer|table output_shape of the last axes, by default the query's
-- @tparam[opt] integer|table attention_axes by default all but batch, heads and features
-- @tparam[opt] integer sliding_window positions further apart than this do not attend to each other
-- @tparam[opt=false] boolean use_gate multiply each head's output by a learnt gate
-- @tparam[opt] integer seed
local Dropout = require "cusp.layers.regularization.dropout"
local EinsumDense = require "cusp.layers.core.einsum_dense"
local Layer = require "cusp.layers.machinery.layer"
local Softmax = require("cusp.layers.activations.rectifiers").Softmax
local errors = require "cusp.base.errors"
local key_value_cache = require "cusp.layers.attention.key_value_cache"
local masks = require "cusp.base.masks"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local parallel = require "cusp.layers.machinery.parallel"
local sharding = require "cusp.base.sharding"
local structure = require "cusp.base.structure"

local MultiHeadAttention = Layer:extend("MultiHeadAttention", {
  supports_masking = true,
  call_arguments = {
    "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask",
    "return_attention_scores", "training", "use_causal_mask", "cache", "cache_update_index",
  },
  config = {
    {"num_heads", "integer", min = 1}, {"key_dim", "integer", min = 1},
    {"value_dim", "integer", min = 1, optional = true},
    {"dropout", "number", min = 0, max = 1, default = 0.0}, options.flag("use_bias", true),
    {"output_shape", "shape", allow_integer = true, optional = true},
    {"attention_axes", "axes", optional = true},
    {"sliding_window", "integer", min = 1, optional = true},
    {"flash_attention", "any", optional = true, transient = true},
    options.initializer("kernel", "glorot_uniform"), options.initializer("bias", "zeros"),
    options.regularizer "kernel",
    options.regularizer "bias", options.regularizer "activity", options.constraint "kernel",
    options.constraint "bias",
    options.flag("use_gate", false), options.seed(),
  },
})

local configuration = MultiHeadAttention.get_config -- what the declaration makes

function MultiHeadAttention:init(args)
  self:configure(args, MultiHeadAttention)
  Layer.init(self, args)
  self.value_dim = self.value_dim or self.key_dim
end

--- The policies of the projections are in it, too, where those are quantized.
function MultiHeadAttention:get_config()
  local quantizing = require "cusp.layers.machinery.quantizing"
  return quantizing.with_policies(self, configuration(self))
end

--- The argument of that name, not the output shape of a symbolic call.
function MultiHeadAttention.__getters.output_shape() return nil end

---------------------------------------------------------------- the equations

local letters = "abcdefghijklmnopqrstuvwxyz"
local function letter(i) return letters:sub(i, i) end

--- The einsum equation of a projection, from the numbers of free, summed and output axes; and the
-- bias axes.
local function projection(free, bound, out)
  local input, kernel, output = "", "", ""
  for i = 1, free do input, output = input .. letter(i), output .. letter(i) end
  for i = free + 1, free + bound do input, kernel = input .. letter(i), kernel .. letter(i) end
  local bias = ""
  for i = free + bound + 1, free + bound + out do
    kernel, output, bias = kernel .. letter(i), output .. letter(i), bias .. letter(i)
  end
  return ("%s,%s->%s"):format(input, kernel, output), bias
end

--- The equations of scores and outputs for projections with this many axes, and the number of
-- attention axes.
local function attention_equations(rank, axes)
  local attended = {}
  for _, axis in ipairs(axes) do attended[axis] = true end
  local target, source, product, tail = letters:sub(1, rank), "", "", ""
  local next_letter = rank + 1
  for i = 1, rank do
    if not attended[i] then
      source = source .. letter(i)
      if i < rank then product = product .. letter(i) end
    else
      source, tail = source .. letter(next_letter), tail .. letter(next_letter)
      next_letter = next_letter + 1
    end
  end
  for _, axis in ipairs(axes) do product = product .. letter(axis) end
  product = product .. tail
  return ("%s,%s->%s"):format(source, target, product),
    ("%s,%s->%s"):format(product, source, target)
end

---------------------------------------------------------------- weights

local function project(self, name, shape, sizes, activation)
  local equation, bias = projection(#shape - 1, 1, 2)
  local output_shape = {}
  for i = 1, #shape - 2 do output_shape[i] = require("cusp.base.shape").None end
  table.move(sizes, 1, #sizes, #output_shape + 1, output_shape)
  return self:make_dense(name, equation, output_shape, bias, activation, shape)
end

function MultiHeadAttention:make_dense(name, equation, output_shape, bias, activation, shape)
  local dense = EinsumDense{
    equation, output_shape, name = name, activation = activation,
    bias_axes = self.use_bias and bias or nil,
    dtype = self.dtype_policy, kernel_initializer = self.kernel_initializer,
    bias_initializer = self.bias_initializer,
    kernel_regularizer = self.kernel_regularizer, bias_regularizer = self.bias_regularizer,
    activity_regularizer = self.activity_regularizer, kernel_constraint = self.kernel_constraint,
    bias_constraint = self.bias_constraint,
  }
  dense:build(shape)
  return dense
end

local function build_output(self, shape)
  local sizes = self.output_shape or {shape[#shape]}
  if type(sizes) == "number" then sizes = {sizes} end
  local equation, bias = projection(#shape - 1, 2, #sizes)
  local output_shape = {}
  for i = 1, #shape - 2 do output_shape[i] = shape[i + 1] end
  table.move(sizes, 1, #sizes, #output_shape + 1, output_shape)
  local input_shape = table.move(shape, 1, #shape - 1, 1, {})
  input_shape[#shape], input_shape[#shape + 1] = self.num_heads, self.value_dim
  return self:make_dense("attention_output", equation, output_shape, bias, nil, input_shape)
end

function MultiHeadAttention:build(shape, others)
  if not others or not others.value then
    errors.raise "expected a query and a value: attention(query, value)"
  end
  local value_shape = others.value
  local key_shape = others.key or value_shape
  if #value_shape ~= #shape or #key_shape ~= #shape then
    errors.raise("expected a query, a value and a key of as many axes, got %s, %s and %s",
      structure.describe(shape), structure.describe(value_shape), structure.describe(key_shape))
  end
  self.query_dense = project(self, "query", shape, {self.num_heads, self.key_dim})
  self.key_dense = project(self, "key", key_shape, {self.num_heads, self.key_dim})
  if self.use_gate then
    self.gate_dense = project(self, "gate", shape, {self.num_heads, self.value_dim}, "sigmoid")
  end
  self.value_dense = project(self, "value", value_shape, {self.num_heads, self.value_dim})
  local rank = #shape + 1
  local axes = self.attention_axes
  if axes == nil then
    axes = {}
    for axis = 2, rank - 2 do axes[#axes + 1] = axis end
  end
  if not structure.is_container(axes) then axes = {axes} end
  for i, axis in ipairs(axes) do axes[i] = axis < 0 and rank + axis or axis end
  self.__own.axes = axes
  local scores_equation, outputs_equation = attention_equations(rank, axes)
  self.__own.scores_equation = scores_equation
  self.__own.outputs_equation = outputs_equation
  local softmax_axes = {}
  for i = 1, #axes do softmax_axes[i] = i - #axes - 1 end
  self.softmax = Softmax{axis = softmax_axes, dtype = self.dtype_policy}
  self.dropout_layer = Dropout{self.dropout, seed = self.seed, dtype = self.dtype_policy}
  self.output_dense = build_output(self, shape)
end

---------------------------------------------------------------- masks

local function both(a, b)
  if not a or not b then return a or b end
  return ops.logical_and(a, b)
end

local function as_bool(mask) return ops.cast(mask, "bool") end

--- How many queries and keys there are, and the position of the first query.
local function places_of(query, value, args)
  if not args.cache then return {targets = query.shape[2], sources = value.shape[2]} end
  return {targets = query.shape[2], sources = args.cache.shape[3], first = args.cache_update_index}
end

--- Positions of queries as a column, of keys as a row.
local function positions(places)
  local rows = ops.reshape(ops.arange(places.targets), {1, -1, 1})
  if places.first then rows = ops.add(rows, places.first) end
  return rows, ops.reshape(ops.arange(places.sources), {1, 1, -1})
end

--- Combines all masks but the causal one into `[batch or 1, T, S]`; nil: nothing is masked.
function MultiHeadAttention.join_masks(self, places, args, query_mask)
  local mask = query_mask and ops.expand_dims(as_bool(query_mask), -1) or nil
  if args.value_mask then mask = both(mask, ops.expand_dims(as_bool(args.value_mask), -2)) end
  if args.key_mask then mask = both(mask, ops.expand_dims(as_bool(args.key_mask), -2)) end
  if self.sliding_window then
    local rows, columns = positions(places)
    mask = both(mask, ops.less(ops.abs(ops.subtract(rows, columns)), self.sliding_window))
  end
  if args.attention_mask then mask = both(as_bool(args.attention_mask), mask) end
  return mask
end

--- The mask with the causal one, where `use_causal_mask` asks for it.
function MultiHeadAttention.with_causal(mask, places, args)
  if not args.use_causal_mask then return mask end
  local rows, columns = positions(places)
  return both(mask, ops.greater_equal(rows, columns))
end

--- Adds the head axes of the scores to a mask.
local function beside_scores(mask, scores, n_axes)
  while mask.ndim < scores.ndim do mask = ops.expand_dims(mask, -n_axes * 2 - 1) end
  return mask
end

--- Whether nobody needs the scores themselves. With dropout in the layer, as in Keras, a query
-- with all keys masked takes nothing in place of their mean.
function MultiHeadAttention.needs_no_scores(self, mask, args)
  return not args.return_attention_scores
    and (self.dropout == 0 or not args.training and not mask)
end

---------------------------------------------------------------- heads that processes divide

-- The axis of the heads in projected tensors, and in the scores.
local function heads_axes(self, q)
  local axes = self.__own.axes or {2}
  return q.ndim - 1, q.ndim - #axes - 1
end

-- The inputs of the projections; one that stands for all is shared.
local function shared_inputs(self, query, key, value)
  local same = rawequal(query, key) and rawequal(query, value)
  if not same or not self.query_dense.__own.divided then
    return query, key, value
  end
  local shared = parallel.shared(query, {self.query_dense, self.key_dense, self.value_dense}, 2)
  return shared, shared, shared
end

-- Where the projections were divided by heads, each process attends with its own.
local function own_heads(self, args, q, k, v, cache)
  local axis, in_scores = heads_axes(self, q)
  local group, parts
  if not cache then group, parts = parallel.common(axis, {q, k, v}) end
  for _, attended in ipairs(self.__own.axes or {}) do
    if attended == axis then group = nil end
  end
  if not group then return q, k, v end
  args.sharing = {group = group, axis = axis, in_scores = in_scores}
  return table.unpack(parts)
end

--- Drops some of the weights; what is dropped of heads does not depend on who has them.
function MultiHeadAttention.drop(self, weights, args)
  local sharing = args.sharing
  if self.dropout == 0 then return weights end
  if not sharing or not args.training then
    return self.dropout_layer(weights, {training = args.training})
  end
  local shape = weights.shape
  shape[sharing.in_scores] = shape[sharing.in_scores] * sharing.group.size
  local kept = self.dropout_layer(ops.ones(shape, {dtype = weights.dtype}), {training = true})
  return weights * sharding.part(kept, sharing.in_scores, sharing.group)
end

local function all_heads(outputs, weights, args)
  local sharing = args.sharing
  if not sharing then return outputs, weights end
  if weights and args.return_attention_scores then
    weights = sharding.gather(weights, sharing.in_scores, sharing.group)
  end
  return sharding.gather(outputs, sharing.axis, sharing.group), weights
end

---------------------------------------------------------------- calling

--- The heads' outputs and the weights, of projected tensors.
function MultiHeadAttention:weigh(q, k, v, mask, args)
  local scores = ops.einsum(self.__own.scores_equation,
    k, ops.multiply(q, self:score_scale()))
  if mask then mask = beside_scores(mask, scores, #self.__own.axes) end
  local weights = self.softmax(scores, {mask = mask})
  local kept = MultiHeadAttention.drop(self, weights, args)
  return ops.einsum(self.__own.outputs_equation, kept, v), weights
end

--- Projected keys and values, those of the cache where there is one, and the cache.
function MultiHeadAttention.keys_and_values(self, key, value, args)
  local cache, index = args.cache, args.cache_update_index
  if not cache then return self.key_dense(key), self.value_dense(value) end
  if index ~= nil then
    cache = key_value_cache.update(self, cache, index, self.key_dense(key), self.value_dense(value))
  end
  local k, v = key_value_cache.read(cache)
  return k, v, cache
end

--- The heads' outputs, the weights where they are asked for, and the cache.
-- @param weigh the way by the scores
-- @tparam function tiled the way without
function MultiHeadAttention.attend(self, query, key, value, args, query_mask)
  local places = places_of(query, value, args)
  local mask = MultiHeadAttention.join_masks(self, places, args, query_mask)
  query, key, value = shared_inputs(self, query, key, value)
  local q, k, v, cache = self.query_dense(query),
    MultiHeadAttention.keys_and_values(self, key, value, args)
  q, k, v = own_heads(self, args, q, k, v, cache)
  local tiled = self:in_tiles(query) and MultiHeadAttention.needs_no_scores(self, mask, args)
  if not tiled or places.first then
    mask = MultiHeadAttention.with_causal(mask, places, args)
  end
  local outputs, weights
  if tiled then
    outputs = ops.dot_product_attention(q, k, v, {
      mask = mask and ops.expand_dims(mask, -3), scale = self:score_scale(),
      is_causal = args.use_causal_mask and not places.first or false,
    })
  else
    outputs, weights = self:weigh(q, k, v, mask, args)
  end
  outputs, weights = all_heads(outputs, weights, args)
  if cache then
    outputs = key_value_cache.guard(outputs, cache, places.first, places.targets)
  end
  return outputs, weights, cache
end

--- The output alone, or a list of it and of what else the call asked for.
function MultiHeadAttention.results(outputs, weights, cache, args)
  if not args.return_attention_scores and not cache then return outputs end
  local list = {outputs}
  if args.return_attention_scores then list[2] = weights end
  list[#list + 1] = cache
  return list
end

--- Whether the scores are a matrix for each head.
function MultiHeadAttention:in_tiles(query)
  return query.ndim == 3 and self.__own.axes[1] == 2
end

function MultiHeadAttention:score_scale() return 1 / math.sqrt(self.key_dim) end

function MultiHeadAttention:call(query, args)
  local value = args.value
  if not value then errors.raise "expected a query and a value: attention(query, value)" end
  local key = args.key or value
  local query_mask = masks.get(query)
  args.value_mask = args.value_mask or masks.get(value)
  args.key_mask = args.key_mask or args.key and masks.get(key) or nil
  -- as in Keras: later layers called on them see no mask
  for _, tensor in ipairs{query, value, key} do masks.set(tensor, nil) end
  if args.cache ~= nil or args.cache_update_index ~= nil then
    if self.key_dim ~= self.value_dim or not self:in_tiles(query) then
      errors.raise("%s: a cache goes with queries [batch, T, dim], and key_dim equal to value_dim",
        self.name)
    end
    key_value_cache.check(self, args, {query.shape[1], 2, 0, self.num_heads, self.key_dim})
  end
  local gate = self.gate_dense and self.gate_dense(query)
  local outputs, weights, cache = self:attend(query, key, value, args, query_mask)
  if gate then outputs = ops.multiply(outputs, gate) end
  outputs = self.output_dense(outputs)
  if query_mask then masks.set(outputs, query_mask) end
  return MultiHeadAttention.results(outputs, weights, cache, args)
end

return MultiHeadAttention
