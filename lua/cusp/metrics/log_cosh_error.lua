--- The mean of the log-cosh loss, see `cusp.losses.LogCosh`.
-- @classmod cusp.metrics.LogCoshError
local define = require "cusp.metrics.define"

return define{class = "LogCoshError", name = "logcosh", function_name = "log_cosh",
  loss = require "cusp.losses.log_cosh"}
