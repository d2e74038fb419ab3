--- The mean of the loss of the same name, see `cusp.losses.MeanAbsoluteError`.
-- @classmod cusp.metrics.MeanAbsoluteError
local define = require "cusp.metrics.define"

return define{class = "MeanAbsoluteError", name = "mean_absolute_error",
  loss = require "cusp.losses.mean_absolute_error"}
