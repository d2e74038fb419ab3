--- The mean of the loss of the same name, see `cusp.losses.CategoricalHinge`.
-- @classmod cusp.metrics.CategoricalHinge
local define = require "cusp.metrics.define"

return define{class = "CategoricalHinge", name = "categorical_hinge",
  loss = require "cusp.losses.categorical_hinge"}
