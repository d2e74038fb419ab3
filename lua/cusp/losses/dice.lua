--- Dice loss, `1 - 2 |A and B| / (|A| + |B|)`, over the given axes (default: all).
-- @classmod cusp.losses.Dice
-- @tparam[opt] table axis axes to sum over
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "Dice", name = "dice",
  parameters = {{"axis", "axes", optional = true}},
  order = {"reduction", "name", "axis", "dtype"},
  call = function(y_true, y_pred, axis)
    local both = ops.sum(y_true * y_pred, axis)
    return 1 - both * 2 / (ops.sum(y_true, axis) + ops.sum(y_pred, axis) + config.epsilon())
  end,
}
