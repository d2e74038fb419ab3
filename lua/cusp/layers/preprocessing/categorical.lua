--- Integers as one-hot, multi-hot and count vectors, for the layers that give categories.
-- @module cusp.layers.preprocessing.categorical
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ops = require "cusp.ops"

local categorical = {}

local older_names = {binary = "multi_hot", ["tf-idf"] = "tf_idf"}

-- One of the parameter's `choices`, also by the names of TF 2.0.
kinds.define("output_mode", {
  check = function(value, parameter)
    value = older_names[value] or value
    for _, choice in ipairs(parameter.choices) do
      if choice == value then return true, value end
    end
    return false
  end,
  expects = function(parameter)
    return 'one of "' .. table.concat(parameter.choices, '", "') .. '"'
  end,
})

--- The row of a declared configuration for `output_mode`.
function categorical.output_mode(default, ...)
  return {"output_mode", "output_mode", choices = {...}, default = default}
end

--- The row for `sparse`, which is refused by `check_dense`.
categorical.sparse = {"sparse", "boolean", default = false}

--- Refuses `sparse = true`: there are no sparse tensors.
function categorical.check_dense(layer)
  if layer.sparse then
    errors.raise(
      "%s: sparse = true is not supported: there are no sparse tensors; leave it out for a dense "
      .. "output",
      getmetatable(layer).__name)
  end
end

local function without_last(x)
  local shape = x.shape
  if #shape > 1 and shape[#shape] == 1 then return ops.squeeze(x, -1) end
  return x
end

--- Indices as what `output_mode` says; indices outside of 0 to `depth - 1` count for nothing.
-- @tparam tensor indices `[...]`
-- @tparam string mode "int": as they are; "one_hot": `[..., depth]` (a last axis of size 1 makes
-- way for it); "multi_hot", "count": `[batch, depth]` of `[batch, n]`, `[depth]` of a vector
-- @tparam integer depth
-- @tparam string dtype
-- @tparam ?tensor weights of "count": what each index counts for
-- @treturn tensor
function categorical.encode(indices, mode, depth, dtype, weights)
  if mode == "int" then return ops.cast(indices, dtype) end
  if not indices.dtype:find "int" then indices = ops.cast(indices, "int32") end
  if #indices.shape == 0 then indices = ops.expand_dims(indices, 1) end
  if mode == "one_hot" then return ops.one_hot(without_last(indices), depth, -1, dtype) end
  local axis = #indices.shape > 1 and 2 or 1
  if mode == "multi_hot" then return ops.max(ops.one_hot(indices, depth, -1, dtype), axis) end
  local hot = ops.one_hot(indices, depth, -1, weights and weights.dtype or dtype)
  if weights then hot = ops.multiply(hot, ops.expand_dims(weights, -1)) end
  return ops.sum(hot, axis)
end

return categorical
