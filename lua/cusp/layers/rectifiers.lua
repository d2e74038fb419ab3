--- Activation functions as layers: `ReLU`, `LeakyReLU`, `ELU`, `Softmax`. Input and output: any shape.
-- @module cusp.layers.rectifiers
local Layer = require "cusp.layers.layer"
local Object = require "cusp.class"
local ops = require "cusp.ops"
local structure = require "cusp.models.structure"

local function same_shape(_, input_shape) return input_shape end

--- `x` between 0 and `max_value`, with a slope below `threshold`.
-- @tparam[opt] number max_value
-- @tparam[opt=0] number negative_slope
-- @tparam[opt=0] number threshold
local ReLU = Layer:extend("ReLU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {
    {"max_value", "number", min = 0, optional = true}, {"negative_slope", "number", min = 0, default = 0.0},
    {"threshold", "number", min = 0, default = 0.0},
  },
  call = function(self, inputs)
    return require("cusp.activations").relu(inputs, {
      negative_slope = self.negative_slope, max_value = self.max_value, threshold = self.threshold,
    })
  end,
})

--- `x` where positive, `negative_slope * x` elsewhere.
-- @tparam[opt=0.3] number negative_slope (`alpha` in Keras 2)
local LeakyReLU = Layer:extend("LeakyReLU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {
    {"negative_slope", "number", default = 0.3}, {"alpha", "number", optional = true, transient = true, keyword_only = true},
  },
  init = function(self, args)
    self:configure(args, Object.find("LeakyReLU", "keras.layers"))
    Layer.init(self, args)
    if self.alpha then self.negative_slope = self.alpha end
  end,
  call = function(self, inputs) return ops.leaky_relu(inputs, self.negative_slope) end,
})

--- `x` where positive, `alpha * (exp(x) - 1)` elsewhere.
local ELU = Layer:extend("ELU", {
  supports_masking = true,
  compute_output_shape = same_shape,
  config = {{"alpha", "number", default = 1.0}},
  call = function(self, inputs) return ops.elu(inputs, self.alpha) end,
})

--- The sums of exponentials over several axes at once.
local function softmax_over(inputs, axes)
  return ops.exp(ops.subtract(inputs, ops.logsumexp(inputs, axes, true)))
end

--- Normalised exponentials along an axis, or over several. What a mask leaves out gets 0.
-- @tparam[opt=-1] integer|table axis
local Softmax = Layer:extend("Softmax", {
  supports_masking = true,
  first_is_list = false,
  compute_output_shape = same_shape,
  config = {{"axis", "axes", default = -1}},
  call = function(self, inputs, args)
    local mask, axis = args.mask, self.axis
    if structure.is_container(axis) and #axis == 1 then axis = axis[1] end
    if mask then
      local least = inputs.dtype == "float16" and -65504.0 or -3.4e38
      inputs = ops.add(inputs, ops.multiply(ops.subtract(1, ops.cast(mask, inputs.dtype)), least))
    end
    local outputs = type(axis) == "table" and softmax_over(inputs, axis) or ops.softmax(inputs, axis)
    if mask then outputs = ops.multiply(outputs, ops.cast(mask, inputs.dtype)) end
    return outputs
  end,
})

return {ReLU = ReLU, LeakyReLU = LeakyReLU, ELU = ELU, Softmax = Softmax}
