--- A loss from a function of `(y_true, y_pred)` that returns one loss per sample.
-- @classmod cusp.losses.LossFunctionWrapper
-- @tparam function fn
-- @tparam[opt="sum_over_batch_size"] string reduction
-- @tparam[opt] string name
local Loss = require "cusp.losses.loss"
local reduction = require "cusp.losses.reduction"

return Loss:extend("LossFunctionWrapper", {
  config = {
    {"fn", "function"}, {"reduction", "choice", choices = reduction.names,
      default = "sum_over_batch_size"},
    {"name", "string", optional = true}, {"dtype", "dtype", optional = true, transient = true},
  },
  call = function(self, y_true, y_pred)
    return self.fn(reduction.same_rank(y_true, y_pred))
  end,
})
