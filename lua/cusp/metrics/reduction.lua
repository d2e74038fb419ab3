--- Helpers of metrics: tensors from plain tables, and values per sample from values per element.
-- @module cusp.metrics.reduction
local define = require "cusp.ops.define"
local losses = require "cusp.losses.reduction"
local masks = require "cusp.base.masks"
local ops = require "cusp.ops"

local reduction = {}

--- Converts a tensor, variable, number or nested table to a tensor of the given dtype (default: its
-- own).
function reduction.to_tensor(value, dtype)
  if not define.is_symbolic(value) then value = define.tensor(value) end
  if dtype and value.dtype ~= dtype then return ops.cast(value, dtype) end
  return value
end
local to_tensor = reduction.to_tensor

local function axes(first, last)
  local list = {}
  for axis = first, last do list[#list + 1] = axis end
  return list
end

--- Reduces values to one per sample.
-- @param values tensor
-- @param weight tensor or nil
-- @tparam function reduce ops.mean or ops.sum
-- @tparam string dtype
-- @return values `[batch]` (or a scalar), weighted
-- @return weights `[batch]`, or nil
function reduction.samplewise(values, weight, reduce, dtype)
  local mask = masks.get(values)
  values = to_tensor(values, dtype)
  if weight ~= nil then
    weight = to_tensor(weight, dtype)
    if mask ~= nil then weight = losses.apply_mask(weight, mask, dtype, "sum") end
    values, weight = losses.same_rank(values, weight)
    local weight_rank = weight.ndim
    if values.ndim > weight_rank then
      values = reduce(values, axes(weight_rank + 1, values.ndim))
    end
    weight = ops.broadcast_to(weight, values.shape)
    values = values * weight
    if weight_rank > 1 then weight = reduce(weight, axes(2, weight_rank)) end
  end
  if values.ndim > 1 then values = reduce(values, axes(2, values.ndim)) end
  return values, weight
end

return reduction
