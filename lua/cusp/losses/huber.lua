--- Quadratic for errors up to `delta`, linear beyond: mean over the last axis.
-- @classmod cusp.losses.Huber
-- @tparam[opt=1] number delta
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "Huber", name = "huber", instance_name = "huber_loss",
  parameters = {{"delta", "number", default = 1.0, omit_default = true}},
  call = function(y_true, y_pred, delta)
    local size = ops.abs(y_pred - y_true)
    local near = ops.less_equal(size, delta)
    return ops.mean(ops.where(near, ops.square(size) * 0.5, size * delta - 0.5 * delta * delta), -1)
  end,
}
