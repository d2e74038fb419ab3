--- Tversky loss: like Dice, with separate weights for false negatives and false positives (Salehi
-- et al. 2017).
-- @classmod cusp.losses.Tversky
-- @tparam[opt=0.5] number alpha weight of false negatives
-- @tparam[opt=0.5] number beta weight of false positives
-- @tparam[opt] table axis axes to sum over
local config = require "cusp.base.config"
local define = require "cusp.losses.define"
local ops = require "cusp.ops"

return define{
  class = "Tversky", name = "tversky",
  parameters = {{"alpha", "number", default = 0.5}, {"beta", "number", default = 0.5},
    {"axis", "axes", optional = true}},
  order = {"alpha", "beta", "reduction", "name", "axis", "dtype"},
  call = function(y_true, y_pred, alpha, beta, axis)
    local both = ops.sum(y_true * y_pred, axis)
    local target_alone = ops.sum((1 - y_pred) * y_true, axis)
    local predicted_alone = ops.sum(y_pred * (1 - y_true), axis)
    return 1 - both / (both + target_alone * alpha + predicted_alone * beta + config.epsilon())
  end,
}
