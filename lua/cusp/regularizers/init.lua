--- Regularizers: penalties on weights and outputs.
-- @module cusp.regularizers
-- @usage layers.Dense{32, kernel_regularizer = cusp.regularizers.L2(1e-4)}
local namespace = require "cusp.base.namespace"

local space = namespace.new("cusp.regularizers", {
  Regularizer = "regularizer",
  L1 = {"l1_l2", "L1"}, L2 = {"l1_l2", "L2"}, L1L2 = {"l1_l2", "L1L2"},
  l1 = {"l1_l2", "L1"}, l2 = {"l1_l2", "L2"}, l1_l2 = {"l1_l2", "L1L2"}, l1l2 = {"l1_l2", "L1L2"},
  OrthogonalRegularizer = "orthogonal_regularizer",
  orthogonal_regularizer = "orthogonal_regularizer",
})

return namespace.of_objects(space, {what = "regularizer", module = "keras.regularizers"})
