--- Lin's concordance correlation coefficient along an axis, mean over samples.
-- @classmod cusp.metrics.ConcordanceCorrelation
-- @tparam[opt=-1] integer axis
local config = require "cusp.base.config"
local correlation = require "cusp.metrics.correlation"
local define = require "cusp.metrics.define"
local ops = require "cusp.ops"

return define{
  class = "ConcordanceCorrelation", name = "concordance_correlation",
  parameters = {correlation.parameter},
  call = function(y_true, y_pred, axis)
    y_true, y_pred = correlation.align(y_true, y_pred)
    local true_centred, true_mean = correlation.centre(y_true, axis)
    local pred_centred, pred_mean = correlation.centre(y_pred, axis)
    -- Like Keras, this uses the mean of the predictions for both, where Lin's definition uses each
    -- one's own.
    local covariance = (y_true - pred_mean) * pred_centred
    local norm = ops.var(true_centred, axis, true) + ops.var(pred_centred, axis, true)
      + ops.square(true_mean - pred_mean)
    return ops.mean(covariance * 2 / (norm + config.epsilon()), axis)
  end,
}
