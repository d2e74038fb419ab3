--- What the correlation metrics share.
-- @module cusp.metrics.correlation
local losses = require "cusp.losses.reduction"
local ops = require "cusp.ops"

local correlation = {}

correlation.parameter = {"axis", "axis", default = -1}

--- Targets and predictions of one dtype and rank.
function correlation.align(y_true, y_pred)
  return losses.same_rank(ops.cast(y_true, y_pred.dtype), y_pred)
end

--- A tensor less its mean along an axis, and that mean.
function correlation.centre(x, axis)
  local mean = ops.mean(x, axis, true)
  return x - mean, mean
end

return correlation
