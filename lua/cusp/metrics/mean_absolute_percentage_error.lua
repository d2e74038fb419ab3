--- The mean of the loss of the same name, see `cusp.losses.MeanAbsolutePercentageError`.
-- @classmod cusp.metrics.MeanAbsolutePercentageError
local define = require "cusp.metrics.define"

return define{class = "MeanAbsolutePercentageError", name = "mean_absolute_percentage_error",
  loss = require "cusp.losses.mean_absolute_percentage_error"}
