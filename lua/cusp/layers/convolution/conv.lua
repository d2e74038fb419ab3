--- Convolutions: `Conv1D`, `Conv2D`, `Conv3D`.
-- Input `[batch, spatial..., channels]` (or `[batch, channels, spatial...]` with data_format
-- "channels_first"), output `[batch, new spatial..., filters]`. The kernel is `[kernel_size...,
-- channels / groups, filters]`.
-- @classmod cusp.layers.Conv2D
-- @tparam integer filters
-- @tparam integer|table kernel_size
-- @tparam[opt=1] integer|table strides
-- @tparam[opt="valid"] string padding "valid", "same" or, for Conv1D, "causal"
-- @tparam[opt] string data_format
-- @tparam[opt=1] integer|table dilation_rate
-- @tparam[opt=1] integer groups
-- @param[opt="linear"] activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] kernel_initializer, bias_initializer, kernel_regularizer
-- @param[opt] bias_regularizer, activity_regularizer
-- @param[opt] kernel_constraint, bias_constraint
-- @tparam[opt] integer lora_rank trains a product of this rank beside the kernel, see `enable_lora`
-- @tparam[opt] number lora_alpha scale of the product times its rank
-- @usage local layer = layers.Conv2D{16, 3, padding = "same", activation = "relu"}
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local errors = require "cusp.base.errors"
local low_rank = require "cusp.layers.machinery.low_rank"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local parallel = require "cusp.layers.machinery.parallel"

-- The axes of channels and filters are divided, those of the window are not.
local function divides_kernel(class, layer, splits)
  for _, split in ipairs(splits) do
    if split.axis <= class.rank then return false end
  end
  return layer.groups == 1 and layer.convolution_op == class.convolution_op
end

local function call_divided(layer, inputs)
  local first = options.channels_first(layer)
  return parallel.apply{
    letters = {
      input = first and "bc..." or "...c", output = first and "bf..." or "...f", bias = "f",
      kernel = ("xyz"):sub(1, layer.rank) .. "cf",
    },
    inputs = inputs, kernel = layer.kernel, bias = layer.bias, activation = layer.activation,
    compute = function(x, kernel) return layer:convolution_op(x, kernel) end,
    add = function(outputs, bias) return convolution.add_bias(layer, outputs, bias) end,
  }
end

local function make(rank)
  local Conv
  Conv = Layer:extend(("Conv%dD"):format(rank), {
    rank = rank,
    divides = {
      kernel = function(layer, splits) return divides_kernel(Conv, layer, splits) end, bias = true,
    },
    input_spec = {ndim = rank + 2},
    config = options.join({
      {"filters", "integer", min = 1}, convolution.window("kernel_size", rank),
      convolution.window("strides", rank, 1),
      convolution.padding(rank), options.data_format(),
      convolution.window("dilation_rate", rank, 1),
      {"groups", "integer", min = 1, default = 1}, options.activation(),
      options.flag("use_bias", true),
    }, convolution.weights "kernel", {low_rank.options(true)}),
  })

  function Conv:init(args)
    self:configure(args, Conv)
    Layer.init(self, args)
    if self.filters % self.groups ~= 0 then
      errors.raise("%s: the number of filters (%d) should be a multiple of groups (%d)",
        Conv.__name, self.filters, self.groups)
    end
    convolution.check_strides(self)
  end

  function Conv:build(shape)
    local channels = convolution.channels(self, shape)
    if channels % self.groups ~= 0 then
      errors.raise("the number of channels of the input (%d) should be a multiple of groups (%d)",
        channels, self.groups)
    end
    self:compute_output_shape(shape)
    self.kernel = options.weight(self, "kernel",
      convolution.kernel_shape(self, channels // self.groups, self.filters))
    if self.use_bias then self.bias = options.weight(self, "bias", {self.filters}) end
    convolution.fix_input(self, rank, channels)
    low_rank.built(self, "kernel")
  end

  --- The convolution itself, without bias and activation. Override it to change what a kernel does.
  -- @tparam tensor inputs
  -- @tparam tensor kernel
  -- @treturn tensor
  function Conv:convolution_op(inputs, kernel)
    local padding = self.padding
    if padding == "causal" then inputs, padding = convolution.pad_causal(self, inputs), "valid" end
    return ops.conv(inputs, kernel, {
      strides = self.strides, padding = padding, data_format = self.data_format,
      dilation_rate = self.dilation_rate,
    })
  end

  function Conv:call(inputs)
    if self.__own.divided then return call_divided(self, inputs) end
    return convolution.finish(self, self:convolution_op(inputs, self.kernel))
  end

  function Conv:compute_output_shape(input_shape)
    return convolution.output_shape(self, input_shape, self.filters,
      convolution.forward_size(self, input_shape))
  end

  low_rank.add(Conv, "kernel")
  return Conv
end

return {Conv1D = make(1), Conv2D = make(2), Conv3D = make(3)}
