--- Whether a class is among the `k` most likely ones, for predictions of any rank.
-- @module cusp.metrics.top_k
local engine = require "cusp.engine"
local ops = require "cusp.ops"

local top_k = {}

--- The number of predictions to consider, as a parameter of the metrics.
top_k.parameter = {"k", "integer", default = 5, min = 1}

--- @param ids class ids `[batch, ...]`
-- @param y_pred predictions `[batch, ..., classes]`
-- @tparam integer k
-- @treturn tensor 1 or 0 for each id, `[batch, ...]`
function top_k.matches(ids, y_pred, k)
  local shape = ids.shape
  if y_pred.ndim > 2 then y_pred = ops.reshape(y_pred, {-1, y_pred.shape[y_pred.ndim]}) end
  local flat = #shape > 1 and ops.reshape(ids, {-1}) or ids
  local matches = ops.cast(ops.in_top_k(ops.cast(flat, "int32"), y_pred, k), engine.get_floatx())
  return #shape > 1 and ops.reshape(matches, shape) or matches
end

return top_k
