--- Mean over the last axis of `max(1 - y_true * y_pred, 0)`, for labels -1 and 1 (0 and 1 are
-- converted).
-- @classmod cusp.losses.Hinge
local define = require "cusp.losses.define"
local hinge_labels = require "cusp.losses.hinge_labels"
local ops = require "cusp.ops"

return define{
  class = "Hinge", name = "hinge",
  call = function(y_true, y_pred)
    return ops.mean(ops.maximum(1 - hinge_labels(y_true) * y_pred, 0), -1)
  end,
}
