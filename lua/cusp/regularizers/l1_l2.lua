--- Penalties on the size of values: L1 (sum of magnitudes), L2 (sum of squares), L1L2 (both).
-- @module cusp.regularizers.l1_l2
local Regularizer = require "cusp.regularizers.regularizer"
local ops = require "cusp.ops"

local regularizers = {}

--- `l1 * sum(abs(x))`
regularizers.L1 = Regularizer:extend("L1", {
  config = {{"l1", "float32", default = 0.01, min = 0}},
  call = function(self, x) return ops.sum(ops.abs(x)) * self.l1 end,
})

--- `l2 * sum(x^2)`
regularizers.L2 = Regularizer:extend("L2", {
  config = {{"l2", "number", default = 0.01, min = 0}},
  call = function(self, x) return ops.sum(ops.square(x)) * self.l2 end,
})

--- `l1 * sum(abs(x)) + l2 * sum(x^2)`
regularizers.L1L2 = Regularizer:extend("L1L2", {
  config = {{"l1", "number", default = 0.0, min = 0, optional = true},
    {"l2", "number", default = 0.0, min = 0, optional = true}},
  call = function(self, x)
    local penalty
    if (self.l1 or 0) ~= 0 then penalty = ops.sum(ops.abs(x)) * self.l1 end
    if (self.l2 or 0) ~= 0 then
      local squares = ops.sum(ops.square(x)) * self.l2
      penalty = penalty and penalty + squares or squares
    end
    return penalty or ops.zeros({}, x.dtype)
  end,
})

return regularizers
