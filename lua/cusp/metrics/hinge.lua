--- The mean of the loss of the same name, see `cusp.losses.Hinge`.
-- @classmod cusp.metrics.Hinge
local define = require "cusp.metrics.define"

return define{class = "Hinge", name = "hinge", loss = require "cusp.losses.hinge"}
