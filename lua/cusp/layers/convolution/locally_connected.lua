--- Convolutions with a kernel of its own at every place, as in Keras 2: `LocallyConnected1D`,
-- `LocallyConnected2D`.
-- Input and output are those of the convolutions; the kernel is `[places, window * channels,
-- filters]`, the bias `[new spatial..., filters]`.
-- @classmod cusp.layers.LocallyConnected2D
-- @tparam integer filters
-- @tparam integer|table kernel_size
-- @tparam[opt=1] integer|table strides
-- @tparam[opt="valid"] string padding "valid" alone
-- @tparam[opt] string data_format
-- @param[opt="linear"] activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] kernel_initializer, bias_initializer, kernel_regularizer
-- @param[opt] bias_regularizer, activity_regularizer
-- @param[opt] kernel_constraint, bias_constraint
-- @tparam[opt=1] integer implementation 1 alone; files with 2 or 3 are converted when they are read
-- @usage local layer = layers.LocallyConnected2D{4, 3, activation = "relu"}
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"
local shapes = require "cusp.base.shape"

local function product(sizes)
  local result = 1
  for _, size in ipairs(sizes) do result = result * size end
  return result
end

--- Calls `f` with each index below sizes, the last axis first.
local function each_index(sizes, f)
  local index = {}
  local function visit(axis)
    if axis > #sizes then return f(index) end
    for i = 0, sizes[axis] - 1 do
      index[axis] = i
      visit(axis + 1)
    end
  end
  visit(1)
end

local function flat_index(sizes, index)
  local result = 0
  for axis, size in ipairs(sizes) do result = result * size + index[axis] end
  return result
end

--- The sizes of one input as it lies in memory, where its spatial axes begin and which axis has the
-- channels.
local function layout_of(layer, shape)
  local sizes = table.move(shape, 2, #shape, 1, {})
  local first = options.channels_first(layer)
  return sizes, first and 1 or 0, first and 1 or #sizes
end

--- Where each element of each window lies in a flat input: windows one after the other.
local function window_indices(layer, shape)
  local sizes, before, channels_axis = layout_of(layer, shape)
  local window = table.move(layer.kernel_size, 1, layer.rank, before + 1, {})
  window[channels_axis] = sizes[channels_axis]
  local result = {}
  each_index(layer.places, function(place)
    each_index(window, function(offset)
      local index = table.move(offset, 1, #offset, 1, {})
      for axis = 1, layer.rank do
        index[before + axis] = index[before + axis] + place[axis] * layer.strides[axis]
      end
      result[#result + 1] = flat_index(sizes, index)
    end)
  end)
  return result
end

local function check_known(layer, shape)
  for axis = 2, #shape do
    if shape[axis] == shapes.None then
      errors.raise("%s: the sizes of the input should be known, got shape %s",
        getmetatable(layer).__name, errors.shape(shape))
    end
  end
end

local function make(rank)
  local Local = Layer:extend(("LocallyConnected%dD"):format(rank), {
    rank = rank,
    input_spec = {ndim = rank + 2},
    config = options.join({
      {"filters", "integer", min = 1}, convolution.window("kernel_size", rank),
      convolution.window("strides", rank, 1),
      {"padding", "choice", choices = {"valid"}, default = "valid"}, options.data_format(),
      options.activation(), options.flag("use_bias", true),
    }, convolution.weights "kernel", {
      {"implementation", "integer", min = 1, max = 1, default = 1},
    }),
  })

  function Local:build(shape)
    check_known(self, shape)
    local channels = convolution.channels(self, shape)
    local output = self:compute_output_shape(shape)
    local first = options.channels_first(self) and 3 or 2
    self.places = table.move(output, first, first + rank - 1, 1, {})
    local indices = window_indices(self, shape)
    self.indices = engine.tensor(indices, {dtype = "int32"})
    self.kernel = options.weight(self, "kernel",
      {product(self.places), product(self.kernel_size) * channels, self.filters})
    if self.use_bias then
      local bias = table.move(self.places, 1, rank, 1, {})
      bias[rank + 1] = self.filters
      self.bias = options.weight(self, "bias", bias)
    end
    local sizes = table.move(shape, 2, #shape, 1, {})
    self.elements = product(sizes)
    self.input_spec = {ndim = rank + 2, axes = table.move(sizes, 1, #sizes, 2, {})}
  end

  --- The bias in front of the outputs; with channels first Keras 2 reshapes it, and does not
  -- transpose it.
  local function bias_of(self)
    if not options.channels_first(self) then return self.bias end
    return ops.reshape(self.bias, {self.filters, table.unpack(self.places)})
  end

  function Local:call(inputs)
    local kernel = self.kernel
    local windows = ops.take(ops.reshape(inputs, {-1, self.elements}), self.indices, 2)
    windows = ops.reshape(windows, {-1, kernel.shape[1], kernel.shape[2]})
    local outputs = ops.matmul(ops.transpose(windows, {2, 1, 3}), kernel)
    local first = options.channels_first(self)
    outputs = ops.transpose(outputs, first and {2, 3, 1} or {2, 1, 3})
    local shape = {-1, table.unpack(self.places)}
    table.insert(shape, first and 2 or rank + 2, self.filters)
    outputs = ops.reshape(outputs, shape)
    if self.use_bias then outputs = ops.add(outputs, bias_of(self)) end
    return self.activation and self.activation(outputs) or outputs
  end

  Local.dilation_rate = table.move({1, 1}, 1, rank, 1, {})

  function Local:compute_output_shape(input_shape)
    return convolution.output_shape(self, input_shape, self.filters,
      convolution.forward_size(self, input_shape))
  end

  return Local
end

return {LocallyConnected1D = make(1), LocallyConnected2D = make(2)}
