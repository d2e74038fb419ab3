--- Mean over the last axis of `log(cosh(y_pred - y_true))`: like the squared error near 0, like the
-- absolute error far from it.
-- @classmod cusp.losses.LogCosh
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "LogCosh", name = "log_cosh",
  call = function(y_true, y_pred)
    local difference = y_pred - y_true
    -- log(cosh(x)) without the overflow of cosh.
    return ops.mean(difference + ops.softplus(difference * -2) - math.log(2), -1)
  end,
}
