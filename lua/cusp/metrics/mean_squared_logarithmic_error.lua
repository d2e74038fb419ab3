--- The mean of the loss of the same name, see `cusp.losses.MeanSquaredLogarithmicError`.
-- @classmod cusp.metrics.MeanSquaredLogarithmicError
local define = require "cusp.metrics.define"

return define{class = "MeanSquaredLogarithmicError", name = "mean_squared_logarithmic_error",
  loss = require "cusp.losses.mean_squared_logarithmic_error"}
