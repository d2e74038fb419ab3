--- The mean of the loss of the same name, see `cusp.losses.MeanSquaredError`.
-- @classmod cusp.metrics.MeanSquaredError
local define = require "cusp.metrics.define"

return define{class = "MeanSquaredError", name = "mean_squared_error",
  loss = require "cusp.losses.mean_squared_error"}
