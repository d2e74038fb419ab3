--- Keys and values of the positions so far, which a decoder hands from step to step: the argument
-- `cache` `[batch, 2, length, heads, size]` of attention layers. Where `cache_update_index` (from
-- 0) is given, those of the call are written from there on; otherwise the cache is read as it is.
-- @module cusp.layers.attention.key_value_cache
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local key_value_cache = {}

local function raise(layer, ...) errors.raise("%s: " .. (...), layer.name, select(2, ...)) end

--- The position as a Lua integer, or nil where it is known only when a plan runs.
local function known(index)
  if math.type(index) == "integer" then return index end
  if engine.is_tensor(index) and not engine.is_traced(index) then return index:item() end
end

local function check_index(layer, cache, index, count)
  if math.type(index) ~= "integer"
    and not (engine.is_tensor(index) and index.ndim == 0 and index.dtype:find "int") then
    raise(layer, "cache_update_index should be an integer or a scalar tensor of integers, got %s",
      tostring(index))
  end
  local at, length = known(index), cache.shape[3]
  if at and at < 0 or (at or 0) + count > length then
    raise(layer, "a cache of %d positions has no room for %d more from position %d (counted from "
      .. "0) on", length, count, at or 0)
  end
end

--- Raises where a call's arguments do not go with its cache.
-- @tparam Layer layer
-- @tparam table args of the call
-- @tparam table shape of the cache that the call needs; its third size, the length, is free
function key_value_cache.check(layer, args, shape)
  local cache = args.cache
  if cache == nil then
    if args.cache_update_index == nil then return end
    raise(layer, "cache_update_index is given, but no cache to update")
  end
  if args.value_mask or args.key_mask then
    raise(layer, "with a cache, give an attention_mask [batch, T, length] in place of masks of "
      .. "values and keys")
  end
  local got = cache.shape
  for axis = 1, 5 do
    if #got ~= 5 or axis ~= 3 and got[axis] ~= shape[axis] then
      raise(layer, "cache should have shape [batch, 2, length, heads, size] = [%s, 2, length, %s, "
        .. "%s], got %s", shape[1], shape[4], shape[5], errors.shape(got))
    end
  end
end

--- The cache with keys and values `[batch, count, heads, size]` written from the index on.
function key_value_cache.update(layer, cache, index, key, value)
  if key.dtype ~= cache.dtype then
    raise(layer, "the cache has dtype %s, but the keys and values have %s", cache.dtype, key.dtype)
  end
  check_index(layer, cache, index, key.shape[2])
  local zero = ops.cast(0, "int32")
  local start = ops.stack{zero, zero, ops.cast(index, "int32"), zero, zero}
  return ops.slice_update(cache, start, ops.stack({key, value}, 2))
end

--- Keys and values of all positions of the cache.
function key_value_cache.read(cache)
  return table.unpack(ops.unstack(cache, 2, 2))
end

--- The outputs, or no numbers where a position that only a running plan knew was beyond the cache.
function key_value_cache.guard(outputs, cache, index, count)
  if index == nil or known(index) then return outputs end
  local fits = ops.logical_and(ops.greater_equal(index, 0),
    ops.less_equal(ops.add(index, count), cache.shape[3]))
  return ops.where(fits, outputs, 0 / 0)
end

return key_value_cache
