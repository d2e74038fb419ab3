--- The mean of the loss of the same name, see `cusp.losses.SquaredHinge`.
-- @classmod cusp.metrics.SquaredHinge
local define = require "cusp.metrics.define"

return define{class = "SquaredHinge", name = "squared_hinge",
  loss = require "cusp.losses.squared_hinge"}
