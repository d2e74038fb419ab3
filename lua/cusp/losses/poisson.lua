--- Mean over the last axis of `y_pred - y_true * log(y_pred)`.
-- @classmod cusp.losses.Poisson
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "Poisson", name = "poisson",
  call = function(y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), -1)
  end,
}
