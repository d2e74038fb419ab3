--- The mean of the loss of the same name, see `cusp.losses.Poisson`.
-- @classmod cusp.metrics.Poisson
local define = require "cusp.metrics.define"

return define{class = "Poisson", name = "poisson", loss = require "cusp.losses.poisson"}
