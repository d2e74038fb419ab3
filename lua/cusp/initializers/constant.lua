--- Initializers whose values are not random: Zeros, Ones, Constant, Identity.
-- @module cusp.initializers.constant
local Initializer = require "cusp.initializers.initializer"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local constant = {}

--- All zeros.
constant.Zeros = Initializer:extend("Zeros", {
  config = {},
  call = function(_, shape, dtype) return ops.zeros(shape, dtype) end,
})

--- All ones.
constant.Ones = Initializer:extend("Ones", {
  config = {},
  call = function(_, shape, dtype) return ops.ones(shape, dtype) end,
})

--- One value everywhere.
-- `value` is a number, or a tensor that broadcasts to the shape.
constant.Constant = Initializer:extend("Constant", {
  config = {{"value", "tensor", default = 0.0}},
  call = function(self, shape, dtype)
    if type(self.value) == "number" or type(self.value) == "boolean" then
      return ops.full(shape, self.value, dtype)
    end
    return ops.cast(ops.broadcast_to(self.value, shape), dtype)
  end,
})

--- The identity matrix times `gain`, for shapes with two axes.
constant.Identity = Initializer:extend("Identity", {
  config = {{"gain", "number", default = 1.0, omit_default = true}},
  call = function(self, shape, dtype)
    if #shape ~= 2 then
      errors.raise("Identity: expected a shape of 2 axes, got %s", errors.shape(shape))
    end
    local identity = ops.eye(shape[1], shape[2], {dtype = dtype})
    return self.gain == 1 and identity or ops.cast(identity * self.gain, dtype)
  end,
})

return constant
