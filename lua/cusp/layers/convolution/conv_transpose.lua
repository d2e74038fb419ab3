--- Transposed convolutions, for upsampling: `Conv1DTranspose`, `Conv2DTranspose`,
-- `Conv3DTranspose`. Input `[batch, spatial..., channels]`, output `[batch, new spatial...,
-- filters]`; the kernel is `[kernel_size..., filters, channels]`.
-- @classmod cusp.layers.Conv2DTranspose
-- @tparam integer filters
-- @tparam integer|table kernel_size
-- @tparam[opt=1] integer|table strides
-- @tparam[opt="valid"] string padding "valid" or "same"
-- @tparam[opt] integer|table output_padding added to the output size; less than the stride
-- @tparam[opt] string data_format
-- @tparam[opt=1] integer|table dilation_rate
-- @param[opt="linear"] activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] kernel_initializer, bias_initializer, kernel_regularizer
-- @param[opt] bias_regularizer, activity_regularizer
-- @param[opt] kernel_constraint, bias_constraint
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

--- The spatial output size, as in Keras.
local function enlarged(self)
  return function(size, axis)
    local stride, output_padding = self.strides[axis],
      self.output_padding and self.output_padding[axis]
    local window = self.dilation_rate[axis] * (self.kernel_size[axis] - 1) + 1
    if not output_padding then
      if self.padding == "same" then return size * stride end
      return size * stride + math.max(window - stride, 0)
    end
    local padding = self.padding == "same" and window // 2 or 0
    return (size - 1) * stride + window - 2 * padding + output_padding
  end
end

-- Keras's order, where the third rank has one of its own.
local orders = {
  [3] = "filters kernel_size strides padding data_format output_padding dilation_rate activation "
    .. "use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    .. "activity_regularizer kernel_constraint bias_constraint",
}

local function make(rank)
  local Transpose = Layer:extend(("Conv%dDTranspose"):format(rank), {
    rank = rank,
    input_spec = {ndim = rank + 2},
    positional_order = orders[rank],
    config = options.join({
      {"filters", "integer", min = 1}, convolution.window("kernel_size", rank),
      convolution.window("strides", rank, 1),
      {"padding", "choice", choices = {"valid", "same"}, default = "valid"},
      {"output_padding", "integers", rank = rank, min = 0, optional = true}, options.data_format(),
      convolution.window("dilation_rate", rank, 1), options.activation(),
      options.flag("use_bias", true),
    }, convolution.weights "kernel"),
  })

  function Transpose:init(args)
    self:configure(args, Transpose)
    Layer.init(self, args)
    convolution.check_strides(self)
    for axis, padding in ipairs(self.output_padding or {}) do
      if padding >= self.strides[axis] then
        errors.raise("%s: output_padding %d should be less than the stride %d", Transpose.__name,
          padding, self.strides[axis])
      end
    end
  end

  function Transpose:build(shape)
    local channels = convolution.channels(self, shape)
    self.kernel = options.weight(self, "kernel",
      convolution.kernel_shape(self, self.filters, channels))
    if self.use_bias then self.bias = options.weight(self, "bias", {self.filters}) end
    convolution.fix_input(self, rank, channels)
  end

  function Transpose:call(inputs)
    local outputs = ops.conv_transpose(inputs, self.kernel, {
      strides = self.strides, padding = self.padding, output_padding = self.output_padding,
      data_format = self.data_format,
      dilation_rate = self.dilation_rate,
    })
    return convolution.finish(self, outputs)
  end

  function Transpose:compute_output_shape(input_shape)
    return convolution.output_shape(self, input_shape, self.filters, enlarged(self))
  end

  return Transpose
end

return {Conv1DTranspose = make(1), Conv2DTranspose = make(2), Conv3DTranspose = make(3)}
