--- A rectifier with a learnt slope below 0: `x` if positive, otherwise `alpha * x`.
-- @classmod cusp.layers.PReLU
-- @param[opt="zeros"] alpha_initializer of alpha, which has the shape of a sample
-- @param[opt] alpha_regularizer
-- @param[opt] alpha_constraint
-- @tparam[opt] integer|table shared_axes axes along which alpha is shared; the batch axis is 1
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

return Layer:extend("PReLU", {
  supports_masking = true,
  config = {
    options.initializer("alpha", "zeros"), options.regularizer "alpha", options.constraint "alpha",
    {"shared_axes", "axes", optional = true},
  },

  build = function(self, shape)
    local alpha_shape, fixed = {table.unpack(shape, 2)}, {}
    local shared = self.shared_axes
    if shared and not structure.is_container(shared) then shared = {shared} end
    for _, axis in ipairs(shared or {}) do
      if axis < 2 or axis > #shape then
        errors.raise("shared axis %d is out of range for an input of shape %s", axis,
          errors.shape(shape))
      end
      alpha_shape[axis - 1], fixed[axis] = 1, true
    end
    self.alpha = options.weight(self, "alpha", alpha_shape)
    local axes = {}
    for axis = 2, #shape do
      if not fixed[axis] then axes[axis] = shape[axis] end
    end
    self.input_spec = {ndim = #shape, axes = axes}
  end,

  call = function(self, inputs)
    return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, ops.relu(ops.negative(inputs))))
  end,

  compute_output_shape = function(_, input_shape) return input_shape end,
})
