--- Reduces losses per sample to one number: aligns ranks, applies masks and sample weights.
-- @module cusp.losses.reduction
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local replicas = require "cusp.base.replicas"

local reduction = {}

--- The reductions of losses.
reduction.names = {"sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"}

--- Aligns two tensors whose ranks differ by one, by dropping or adding a last axis of size 1.
-- Returns other tensors unchanged.
function reduction.same_rank(a, b, expand_rank_1)
  if expand_rank_1 == nil then expand_rank_1 = true end
  local rank_a, rank_b = a.ndim, b.ndim
  if rank_a == rank_b + 1 and a.shape[rank_a] == 1 then
    if rank_b == 1 and expand_rank_1 then return a, ops.expand_dims(b, -1) end
    return ops.squeeze(a, -1), b
  end
  if rank_b == rank_a + 1 and b.shape[rank_b] == 1 then
    if rank_a == 1 and expand_rank_1 then return ops.expand_dims(a, -1), b end
    return a, ops.squeeze(b, -1)
  end
  return a, b
end

local function element_count(shape)
  local count = 1
  for i = 1, #shape do count = count * shape[i] end
  return count
end

-- A denominator that the data decide is that over all processes' samples.
local function over_all(denominator)
  return replicas.active and replicas.denominator(denominator) or denominator
end

--- Sample weights combined with a mask; nil without both. For means the mask is scaled up, so that
-- the mean covers only unmasked values.
-- @param weight tensor or nil
-- @param mask tensor of booleans (or numbers) or nil
-- @tparam string dtype of the result
-- @tparam string kind the reduction
function reduction.apply_mask(weight, mask, dtype, kind)
  if mask == nil then return weight end
  local as_float = ops.cast(mask, dtype)
  if kind == "mean" or kind == "sum_over_batch_size" then
    local each = ops.divide_no_nan(element_count(mask.shape), over_all(ops.sum(as_float)))
    as_float = ops.where(ops.cast(mask, "bool"), each, 0)
  end
  if weight == nil then return as_float end
  local masked, weights = reduction.same_rank(as_float, ops.cast(weight, dtype))
  return weights * masked
end

local function can_broadcast(from, to)
  if #from > #to then return false end
  for i = 0, #from - 1 do
    local size = from[#from - i]
    if size ~= 1 and size ~= to[#to - i] then return false end
  end
  return true
end

local function check_weight(owner, values, weight)
  -- Weights of any shape fit a loss that is a single number for the whole batch.
  if values.ndim > 0 and not can_broadcast(weight.shape, values.shape) then
    errors.raise(
      "%s: sample_weight of shape %s does not fit losses of shape %s; expected one weight for "
      .. "each sample%s", owner,
      errors.shape(weight.shape), errors.shape(values.shape),
      values.ndim > 1 and ", as [batch, 1], or one for each loss" or "")
  end
end

local function reduce(values, weight, kind)
  if kind == nil or kind == "none" or values.ndim == 0 then return values end
  local count = element_count(values.shape)
  if values.ndim == 1 and count == 0 then return values end
  local total = ops.sum(values)
  if kind == "sum" then return replicas.active and replicas.as_mean(total) or total end
  if kind == "mean_with_sample_weight" and weight ~= nil then
    return ops.divide_no_nan(total, ops.cast(over_all(ops.sum(weight)), total.dtype))
  end
  return count == 0 and total or total / count
end

--- Weights, masks and reduces.
-- @tparam string owner name of the loss, for messages
-- @param values tensor, the loss of each sample (or time step, or pixel)
-- @param[opt] weight tensor that broadcasts to `values`
-- @param[opt] mask tensor that broadcasts to `values`
-- @tparam ?string kind one of `reduction.names`, nil for none
-- @treturn tensor a scalar, or for "none" a tensor like `values`
function reduction.reduce_weighted(owner, values, weight, mask, kind)
  weight = reduction.apply_mask(weight, mask, values.dtype, kind)
  if weight ~= nil then
    weight = ops.cast(weight, values.dtype)
    values, weight = reduction.same_rank(values, weight)
    check_weight(owner, values, weight)
    values = values * weight
  end
  return reduce(values, weight, kind)
end

return reduction
