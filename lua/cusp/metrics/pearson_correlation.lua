--- Pearson's correlation coefficient along an axis, mean over samples.
-- @classmod cusp.metrics.PearsonCorrelation
-- @tparam[opt=-1] integer axis
local correlation = require "cusp.metrics.correlation"
local define = require "cusp.metrics.define"
local ops = require "cusp.ops"

local function standardise(x, axis)
  local centred = correlation.centre(x, axis)
  return centred / ops.std(centred, axis, true)
end

return define{
  class = "PearsonCorrelation", name = "pearson_correlation",
  parameters = {correlation.parameter},
  call = function(y_true, y_pred, axis)
    y_true, y_pred = correlation.align(y_true, y_pred)
    return ops.mean(standardise(y_true, axis) * standardise(y_pred, axis), axis)
  end,
}
