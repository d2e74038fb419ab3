--- Mean over the last axis of `(log(1 + y_true) - log(1 + y_pred))^2`; values are clipped to at
-- least epsilon.
-- @classmod cusp.losses.MeanSquaredLogarithmicError
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

local function log_plus_one(x) return ops.log(ops.maximum(x, config.epsilon()) + 1) end

return define{
  class = "MeanSquaredLogarithmicError", name = "mean_squared_logarithmic_error",
  call = function(y_true, y_pred)
    return ops.mean(ops.square(log_plus_one(y_pred) - log_plus_one(y_true)), -1)
  end,
}
