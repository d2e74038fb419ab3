--- Helpers of the correlation metrics.
-- @module cusp.metrics.correlation
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"

local correlation = {}

correlation.parameter = {"axis", "axis", default = -1}

--- Converts targets and predictions to one dtype and rank.
function correlation.align(y_true, y_pred)
  return losses.same_rank(ops.cast(y_true, y_pred.dtype), y_pred)
end

--- A tensor minus its mean along an axis, and that mean.
function correlation.centre(x, axis)
  local mean = ops.mean(x, axis, true)
  return x - mean, mean
end

return correlation
