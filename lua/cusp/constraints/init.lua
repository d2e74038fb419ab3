--- Constraints on weights during training.
-- @module cusp.constraints
-- @usage layers.Dense{32, kernel_constraint = cusp.constraints.MaxNorm(2)}
local namespace = require "cusp.base.namespace"

local space = namespace.new("cusp.constraints", {
  Constraint = "constraint",
  MaxNorm = {"norms", "MaxNorm"}, max_norm = {"norms", "MaxNorm"},
  MinMaxNorm = {"norms", "MinMaxNorm"}, min_max_norm = {"norms", "MinMaxNorm"},
  UnitNorm = {"norms", "UnitNorm"}, unit_norm = {"norms", "UnitNorm"},
  NonNeg = "non_neg", non_neg = "non_neg",
})

return namespace.of_objects(space, {what = "constraint", module = "keras.constraints"})
