--- How often the target class id is among the `k` most likely classes.
-- @classmod cusp.metrics.SparseTopKCategoricalAccuracy
-- @tparam[opt=5] integer k
-- @tparam[opt=false] boolean from_sorted_ids whether predictions are lists of class ids, most
-- likely first
local define = require "cusp.metrics.define"
local engine = require "cusp.engine"
local ops = require "cusp.ops"
local top_k = require "cusp.metrics.top_k"

local function among_first(ids, sorted_ids, k)
  local shape = ids.shape
  local columns = sorted_ids.shape[sorted_ids.ndim]
  local rows = ops.reshape(sorted_ids, {-1, columns})
  local first = ops.take(rows, ops.arange(math.min(k, columns)), 2)
  local found = ops.any(ops.equal(ops.reshape(ops.cast(ids, rows.dtype), {-1, 1}), first), 2)
  return ops.reshape(ops.cast(found, engine.get_floatx()), shape)
end

local SparseTopK = define{
  class = "SparseTopKCategoricalAccuracy", name = "sparse_top_k_categorical_accuracy",
  parameters = {top_k.parameter, {"from_sorted_ids", "boolean", default = false}},
  order = {"k", "name", "dtype", "from_sorted_ids"},
  call = function(y_true, y_pred, k, from_sorted_ids)
    if from_sorted_ids then return among_first(y_true, y_pred, k) end
    return top_k.matches(y_true, y_pred, k)
  end,
}

local declared = SparseTopK.get_config

--- Keras writes `from_sorted_ids` only if it is true.
function SparseTopK:get_config()
  local config = declared(self)
  if not self.from_sorted_ids then config.from_sorted_ids = nil end
  return config
end

return SparseTopK
