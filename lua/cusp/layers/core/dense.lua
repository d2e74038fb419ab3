--- A fully connected layer: `activation(inputs · kernel + bias)`. Input `[batch, ..., features]`,
-- output `[batch, ..., units]`.
-- @classmod cusp.layers.Dense
-- @tparam integer units
-- @param[opt="linear"] activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt="glorot_uniform"] kernel_initializer of the kernel, `[features, units]`
-- @param[opt="zeros"] bias_initializer of the bias, `[units]`
-- @param[opt] kernel_regularizer, bias_regularizer, activity_regularizer
-- @param[opt] kernel_constraint, bias_constraint
-- @tparam[opt] integer lora_rank trains a product of this rank beside the kernel, see `enable_lora`
-- @tparam[opt] number lora_alpha scale of the product times its rank
-- @usage local layer = layers.Dense{32, activation = "relu"}
local Layer = require "cusp.layers.machinery.layer"
local errors = require "cusp.base.errors"
local low_rank = require "cusp.layers.machinery.low_rank"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local parallel = require "cusp.layers.machinery.parallel"
local quantizable = require "cusp.layers.core.quantizable"
local shapes = require "cusp.base.shape"

local lora_rank, lora_alpha = low_rank.options()

local Dense = Layer:extend("Dense", {
  call_arguments = {"training"},
  supports_masking = true,
  divides = {kernel = true, bias = true},
  input_spec = {min_ndim = 2},
  config = {
    {"units", "integer", min = 1}, options.activation(), options.flag("use_bias", true),
    options.initializer("kernel", "glorot_uniform"), options.initializer("bias", "zeros"),
    options.regularizer "kernel", options.regularizer "bias", options.regularizer("activity", true),
    options.constraint "kernel", options.constraint "bias", lora_rank, lora_alpha,
    options.quantization(),
  },

  build = function(self, shape)
    local features = shape[#shape]
    if features == shapes.None then
      errors.raise("the last axis of the input should have a known size, got shape %s",
        errors.shape(shape))
    end
    self.__own.full_shape = {features, self.units}
    local mode = self.quantization_mode
    if mode then
      self:quantized_build({features, self.units}, mode, self.quantization_config)
    end
    if not mode or mode == "float8" then
      self.kernel = options.weight(self, "kernel", {features, self.units})
    end
    if self.use_bias then self.bias = options.weight(self, "bias", {self.units}) end
    self.input_spec = {min_ndim = 2, axes = {[-1] = features}}
    low_rank.built(self, "kernel")
  end,

  call = function(self, inputs, args)
    if self.__own.divided then
      return parallel.product("...a,ab->...b", inputs, self.kernel, self.bias, "b", self.activation)
    end
    local quantized = self.__own.quantized and require "cusp.layers.core.quantized_kernel"
    local outputs = quantized and quantized.product(self, inputs, args.training)
      or ops.matmul(inputs, self.kernel)
    if self.use_bias then
      outputs = ops.add(outputs, quantized and quantized.bias(self) or self.bias)
    end
    if self.activation then outputs = self.activation(outputs) end
    return outputs
  end,

  compute_output_shape = function(self, input_shape)
    local shape = shapes.copy(input_shape)
    shape[#shape] = self.units
    return shape
  end,
})

low_rank.add(Dense, "kernel")
quantizable.add(Dense, "cusp.layers.core.quantized_kernel", "kernel",
  {int8 = true, int4 = true, float8 = true})

--- How the scales of a quantized kernel lie.
-- @local
function Dense:kernel_geometry()
  return require("cusp.layers.core.kernel_geometry").dense(table.unpack(self.__own.full_shape))
end

return Dense
