--- Sets negative weights to 0.
-- @classmod cusp.constraints.NonNeg
local Constraint = require "cusp.constraints.constraint"
local ops = require "cusp.ops"

return Constraint:extend("NonNeg", {
  config = {},
  call = function(_, w) return ops.maximum(w, 0) end,
})
