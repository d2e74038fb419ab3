--- A depthwise convolution followed by a 1×1 convolution: `SeparableConv1D`, `SeparableConv2D`.
-- Input `[batch, spatial..., channels]`, output `[batch, new spatial..., filters]`; the kernels are
-- `[kernel_size..., channels, depth_multiplier]` and `[1..., channels * depth_multiplier,
-- filters]`.
-- @classmod cusp.layers.SeparableConv2D
-- @tparam integer filters
-- @tparam integer|table kernel_size
-- @tparam[opt=1] integer|table strides
-- @tparam[opt="valid"] string padding "valid", "same" or, for SeparableConv1D, "causal"
-- @tparam[opt] string data_format
-- @tparam[opt=1] integer|table dilation_rate
-- @tparam[opt=1] integer depth_multiplier
-- @param[opt="linear"] activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] depthwise_initializer, pointwise_initializer, bias_initializer and the regularizers
-- and constraints of the same names
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

local function make(rank)
  local Separable = Layer:extend(("SeparableConv%dD"):format(rank), {
    rank = rank,
    input_spec = {ndim = rank + 2},
    config = options.join({
      {"filters", "integer", min = 1}, convolution.window("kernel_size", rank),
      convolution.window("strides", rank, 1),
      convolution.padding(rank), options.data_format(),
      convolution.window("dilation_rate", rank, 1),
      {"depth_multiplier", "integer", min = 1, default = 1}, options.activation(),
      options.flag("use_bias", true),
    }, convolution.weights("depthwise", "pointwise")),
  })

  function Separable:build(shape)
    local channels = convolution.channels(self, shape)
    self:compute_output_shape(shape)
    self.depthwise_kernel = options.weight(self, "depthwise_kernel",
      convolution.kernel_shape(self, channels, self.depth_multiplier),
      "depthwise")
    local pointwise = {}
    for axis = 1, rank do pointwise[axis] = 1 end
    pointwise[rank + 1], pointwise[rank + 2] = channels * self.depth_multiplier, self.filters
    self.pointwise_kernel = options.weight(self, "pointwise_kernel", pointwise, "pointwise")
    if self.use_bias then self.bias = options.weight(self, "bias", {self.filters}) end
    convolution.fix_input(self, rank, channels)
  end

  function Separable:call(inputs)
    local padding = self.padding
    if padding == "causal" then inputs, padding = convolution.pad_causal(self, inputs), "valid" end
    local outputs = ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, {
      strides = self.strides, padding = padding, data_format = self.data_format,
      dilation_rate = self.dilation_rate,
    })
    return convolution.finish(self, outputs)
  end

  function Separable:compute_output_shape(input_shape)
    return convolution.output_shape(self, input_shape, self.filters,
      convolution.forward_size(self, input_shape))
  end

  return Separable
end

return {SeparableConv1D = make(1), SeparableConv2D = make(2)}
