--- Kullback-Leibler divergence, the sum over the last axis of `y_true * log(y_true / y_pred)`.
-- @classmod cusp.losses.KLDivergence
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "KLDivergence", name = "kl_divergence",
  call = function(y_true, y_pred)
    y_true = ops.clip(y_true, config.epsilon(), 1)
    y_pred = ops.clip(y_pred, config.epsilon(), 1)
    return ops.sum(y_true * ops.log(y_true / y_pred), -1)
  end,
}
