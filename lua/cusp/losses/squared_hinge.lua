--- Mean over the last axis of `max(1 - y_true * y_pred, 0)^2`, for labels -1 and 1 (0 and 1 are
-- converted).
-- @classmod cusp.losses.SquaredHinge
local define = require "cusp.losses.define"
local hinge_labels = require "cusp.losses.hinge_labels"
local ops = require "cusp.ops"

return define{
  class = "SquaredHinge", name = "squared_hinge",
  call = function(y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1 - hinge_labels(y_true) * y_pred, 0)), -1)
  end,
}
