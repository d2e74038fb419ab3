--- Labels -1 and 1 for the hinge losses.
-- @module cusp.losses.hinge_labels
local ops = require "cusp.ops"

--- Converts labels that are all 0 or 1 to -1 and 1; others are unchanged. The choice depends on the
-- values, so it is part of the computation.
return function(y_true)
  local binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
  return ops.where(binary, y_true * 2 - 1, y_true)
end
