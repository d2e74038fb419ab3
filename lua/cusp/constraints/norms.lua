--- Constraints on the norm of a weight along an axis: MaxNorm, MinMaxNorm, UnitNorm.
-- The axis is that of the inputs: 1 for the kernel `[in, out]` of a Dense layer, `{1, 2, 3}` for
-- that of a Conv2D layer.
-- @module cusp.constraints.norms
local Constraint = require "cusp.constraints.constraint"
local config = require "cusp.base.config"
local ops = require "cusp.ops"

local constraints = {}
local axis = {"axis", "axes", default = 1, optional = true}

local function norms_of(w, axes)
  return ops.sqrt(ops.sum(ops.square(w), {axis = axes, keepdims = true}))
end

--- Scales weights down to a norm of at most `max_value`. Srivastava et al., "Dropout" (2014).
constraints.MaxNorm = Constraint:extend("MaxNorm", {
  config = {{"max_value", "number", default = 2}, axis},
  call = function(self, w)
    local norms = norms_of(w, self.axis)
    return w * (ops.clip(norms, 0, self.max_value) / (norms + config.epsilon()))
  end,
})

--- Scales the norms of weights into a range: fully with `rate` 1, otherwise by that fraction of the
-- distance.
constraints.MinMaxNorm = Constraint:extend("MinMaxNorm", {
  config = {
    {"min_value", "number", default = 0.0},
    {"max_value", "number", default = 1.0},
    {"rate", "number", default = 1.0},
    axis,
  },
  call = function(self, w)
    local norms = norms_of(w, self.axis)
    local desired = ops.clip(norms, self.min_value, self.max_value) * self.rate
      + norms * (1 - self.rate)
    return w * (desired / (norms + config.epsilon()))
  end,
})

--- Norms of 1.
constraints.UnitNorm = Constraint:extend("UnitNorm", {
  config = {axis},
  call = function(self, w) return w / (norms_of(w, self.axis) + config.epsilon()) end,
})

return constraints
