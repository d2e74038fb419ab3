--- Labels for the hinge losses, which want -1 and 1.
-- @module cusp.losses.hinge_labels
local ops = require "cusp.ops"

--- Labels that are all 0 or 1 become -1 and 1; others stay.
-- The choice depends on the values, so it is made within the computation.
return function(y_true)
  local binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
  return ops.where(binary, y_true * 2 - 1, y_true)
end
