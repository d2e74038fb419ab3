--- Shared parts of convolutions: declared arguments, kernel shapes and the bias.
-- @module cusp.layers.convolution.convolution
local errors = require "cusp.base.errors"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

local convolution = {}

--- Rows for `kernel_size`, `strides` and the like, for a number of spatial axes.
function convolution.window(name, rank, default)
  return {name, "integers", rank = rank, min = 1, default = default}
end

function convolution.padding(rank)
  local choices = rank == 1 and {"valid", "same", "causal"} or {"valid", "same"}
  return {"padding", "choice", choices = choices, default = "valid"}
end

--- Rows for the given weights: all initializers, then all regularizers, then all constraints, each
-- with the bias last.
function convolution.weights(...)
  local names, rows = {...}, {}
  for _, name in ipairs(names) do rows[#rows + 1] = options.initializer(name, "glorot_uniform") end
  rows[#rows + 1] = options.initializer("bias", "zeros")
  for _, name in ipairs(names) do rows[#rows + 1] = options.regularizer(name) end
  rows[#rows + 1] = options.regularizer "bias"
  rows[#rows + 1] = options.regularizer "activity"
  for _, name in ipairs(names) do rows[#rows + 1] = options.constraint(name) end
  rows[#rows + 1] = options.constraint "bias"
  return rows
end

--- The number of channels of an input shape.
-- @raise if it is unknown
function convolution.channels(layer, shape)
  local channels = shape[options.channels_first(layer) and 2 or #shape]
  if channels == shapes.None then
    errors.raise("the channels' axis of the input should have a known size, got shape %s",
      errors.shape(shape))
  end
  return channels
end

--- Records the rank and channels of the inputs, to check later calls.
function convolution.fix_input(layer, rank, channels)
  local axis = options.channels_first(layer) and 2 or -1
  layer.input_spec = {ndim = rank + 2, axes = {[axis] = channels}}
end

--- Strides above 1 together with dilation are not defined.
function convolution.check_strides(layer)
  if math.max(table.unpack(layer.strides)) > 1
    and math.max(table.unpack(layer.dilation_rate)) > 1 then
    errors.raise("%s: strides %s and dilation_rate %s cannot both be above 1",
      getmetatable(layer).__name, errors.shape(layer.strides),
      errors.shape(layer.dilation_rate))
  end
end

--- `{kernel_size..., a, b}`
function convolution.kernel_shape(layer, ...)
  local shape = table.move(layer.kernel_size, 1, #layer.kernel_size, 1, {})
  for _, size in ipairs{...} do shape[#shape + 1] = size end
  return shape
end

--- Adds the bias to the channels, then applies the activation.
function convolution.finish(layer, outputs)
  if layer.use_bias then outputs = convolution.add_bias(layer, outputs, layer.bias) end
  if layer.activation then outputs = layer.activation(outputs) end
  return outputs
end

--- Adds a bias along the channels.
function convolution.add_bias(layer, outputs, bias)
  if options.channels_first(layer) then
    local shape = {bias.shape[1]}
    for _ = 1, #layer.kernel_size do shape[#shape + 1] = 1 end
    bias = ops.reshape(bias, shape)
  end
  return ops.add(outputs, bias)
end

--- Pads the inputs with zeros before the first step, so that no output depends on a later one.
function convolution.pad_causal(layer, inputs)
  local width = layer.dilation_rate[1] * (layer.kernel_size[1] - 1)
  if options.channels_first(layer) then return ops.pad(inputs, {{0, 0}, {0, 0}, {width, 0}}) end
  return ops.pad(inputs, {{0, 0}, {width, 0}, {0, 0}})
end

--- The output shape, with spatial sizes computed by `size(size_in, axis)`.
function convolution.output_shape(layer, input_shape, filters, size)
  local first = options.channels_first(layer) and 3 or 2
  local shape = shapes.copy(input_shape)
  for axis = 1, #layer.kernel_size do
    local given = shape[first + axis - 1]
    if given ~= shapes.None then shape[first + axis - 1] = size(given, axis) end
  end
  shape[options.channels_first(layer) and 2 or #shape] = filters
  return shape
end

--- Spatial output sizes of an ordinary convolution.
-- @raise if a window does not fit
function convolution.forward_size(layer, input_shape)
  return function(size, axis)
    local window = layer.dilation_rate[axis] * (layer.kernel_size[axis] - 1) + 1
    local stride = layer.strides[axis]
    if layer.padding ~= "valid" then return (size + stride - 1) // stride end
    if size < window then
      errors.raise("a window of %d does not fit into axis %d of an input of shape %s", window,
        axis + (options.channels_first(layer) and 2 or 1), errors.shape(input_shape))
    end
    return (size - window) // stride + 1
  end
end

return convolution
