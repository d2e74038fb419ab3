--- Depthwise convolutions, which treat each channel separately: `DepthwiseConv1D`,
-- `DepthwiseConv2D`. Input `[batch, spatial..., channels]`, output `[batch, new spatial...,
-- channels * depth_multiplier]`; the kernel is `[kernel_size..., channels, depth_multiplier]`.
-- @classmod cusp.layers.DepthwiseConv2D
-- @tparam integer|table kernel_size
-- @tparam[opt=1] integer|table strides
-- @tparam[opt="valid"] string padding
-- @tparam[opt=1] integer depth_multiplier outputs per channel
-- @tparam[opt] string data_format
-- @tparam[opt=1] integer|table dilation_rate
-- @param[opt="linear"] activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] depthwise_initializer, bias_initializer, depthwise_regularizer
-- @param[opt] bias_regularizer, activity_regularizer
-- @param[opt] depthwise_constraint, bias_constraint
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

local function make(rank)
  local Depthwise = Layer:extend(("DepthwiseConv%dD"):format(rank), {
    rank = rank,
    input_spec = {ndim = rank + 2},
    config = options.join({
      convolution.window("kernel_size", rank), convolution.window("strides", rank, 1),
      {"padding", "choice", choices = {"valid", "same"}, default = "valid"},
      {"depth_multiplier", "integer", min = 1, default = 1},
      options.data_format(), convolution.window("dilation_rate", rank, 1), options.activation(),
      options.flag("use_bias", true),
    }, convolution.weights "depthwise"),
  })

  function Depthwise:build(shape)
    local channels = convolution.channels(self, shape)
    self:compute_output_shape(shape)
    self.kernel = options.weight(self, "kernel",
      convolution.kernel_shape(self, channels, self.depth_multiplier), "depthwise")
    if self.use_bias then
      self.bias = options.weight(self, "bias", {channels * self.depth_multiplier})
    end
    convolution.fix_input(self, rank, channels)
  end

  function Depthwise:call(inputs)
    local outputs = ops.depthwise_conv(inputs, self.kernel, {
      strides = self.strides, padding = self.padding, data_format = self.data_format,
      dilation_rate = self.dilation_rate,
    })
    return convolution.finish(self, outputs)
  end

  function Depthwise:compute_output_shape(input_shape)
    local filters = convolution.channels(self, input_shape) * self.depth_multiplier
    return convolution.output_shape(self, input_shape, filters,
      convolution.forward_size(self, input_shape))
  end

  return Depthwise
end

return {DepthwiseConv1D = make(1), DepthwiseConv2D = make(2)}
