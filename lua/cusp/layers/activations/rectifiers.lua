--- Activation functions as layers: `ReLU`, `LeakyReLU`, `ThresholdedReLU`, `ELU`, `Softmax`. Input
-- and output: any shape.
-- @module cusp.layers.activations.rectifiers
local Layer = require "cusp.layers.machinery.layer"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

local function same_shape(_, input_shape) return input_shape end

--- `x` clipped to at most `max_value`, with slope `negative_slope` below `threshold`.
-- @tparam[opt] number max_value
-- @tparam[opt=0] number negative_slope
-- @tparam[opt=0] number threshold
local ReLU = Layer:extend("ReLU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {
    {"max_value", "number", min = 0, optional = true},
    {"negative_slope", "number", min = 0, default = 0.0},
    {"threshold", "number", min = 0, default = 0.0},
  },
  call = function(self, inputs)
    return require("cusp.activations").relu(inputs, {
      negative_slope = self.negative_slope, max_value = self.max_value, threshold = self.threshold,
    })
  end,
})

--- `x` if positive, otherwise `negative_slope * x`.
-- @tparam[opt=0.3] number negative_slope (`alpha` in Keras 2)
local LeakyReLU = Layer:extend("LeakyReLU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {
    {"negative_slope", "number", default = 0.3},
    {"alpha", "number", optional = true, transient = true, keyword_only = true},
  },
  init = function(self, args)
    self:configure(args, Object.find("LeakyReLU", "keras.layers"))
    Layer.init(self, args)
    if self.alpha then self.negative_slope = self.alpha end
  end,
  call = function(self, inputs) return ops.leaky_relu(inputs, self.negative_slope) end,
})

--- `x` where it is above `theta`, 0 elsewhere, as in Keras 2.
-- @tparam[opt=1] number theta
local ThresholdedReLU = Layer:extend("ThresholdedReLU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {{"theta", "number", min = 0, default = 1.0}},
  call = function(self, inputs)
    return ops.multiply(inputs, ops.cast(ops.greater(inputs, self.theta), inputs.dtype))
  end,
})

--- `x` where positive, `alpha * (exp(x) - 1)` elsewhere.
local ELU = Layer:extend("ELU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {{"alpha", "number", default = 1.0}},
  call = function(self, inputs) return ops.elu(inputs, self.alpha) end,
})

--- Log-sum-exp over several axes at once.
local function softmax_over(inputs, axes)
  return ops.exp(ops.subtract(inputs, ops.logsumexp(inputs, axes, true)))
end

--- Converts a mask to booleans that broadcast to the inputs; numbers above 0.5 are true.
local function as_condition(mask, inputs)
  local shape, whole = mask.shape, inputs.shape
  local fits = #shape <= #whole
  for i = 0, fits and #shape - 1 or -1 do
    fits = fits and (shape[#shape - i] == 1 or shape[#shape - i] == whole[#whole - i])
  end
  if not fits then
    errors.raise("the mask should broadcast to the inputs, of shape %s, got shape %s",
      errors.shape(whole), errors.shape(shape))
  end
  return mask.dtype == "bool" and mask or ops.greater(mask, 0.5)
end

--- Normalised exponentials along one or several axes. Masked elements get 0.
-- @tparam[opt=-1] integer|table axis or null for all elements
local Softmax = Layer:extend("Softmax", {
  supports_masking = true,
  call_arguments = {"mask"},
  compute_output_shape = same_shape,
  config = {{"axis", "axes", default = -1, optional = true}},
  call = function(self, inputs, args)
    local mask, axis = args.mask, self.axis
    if structure.is_container(axis) and #axis == 1 then axis = axis[1] end
    if mask then
      mask = as_condition(mask, inputs)
      inputs = ops.where(mask, inputs, inputs.dtype == "float16" and -3e4 or -1e9)
    end
    local outputs = type(axis) == "table" and softmax_over(inputs, axis)
      or ops.softmax(inputs, axis or null)
    return mask and ops.where(mask, outputs, 0) or outputs
  end,
})

return {ReLU = ReLU, LeakyReLU = LeakyReLU, ThresholdedReLU = ThresholdedReLU, ELU = ELU,
  Softmax = Softmax}
