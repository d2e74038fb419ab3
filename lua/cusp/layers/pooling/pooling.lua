--- Pooling by the largest or the mean value of each window (`MaxPooling1D` ...
-- `AveragePooling3D`).
-- Input `[batch, spatial..., channels]`, output the same with smaller spatial axes.
-- @classmod cusp.layers.MaxPooling2D
-- @tparam[opt=2] integer|table pool_size
-- @tparam[opt] integer|table strides by default the pool_size
-- @tparam[opt="valid"] string padding "valid" or "same"
-- @tparam[opt] string data_format
-- @usage local layer = layers.MaxPooling2D(2)
local family = require "cusp.layers.pooling.family"
local Layer = require "cusp.layers.machinery.layer"
local convolution = require "cusp.layers.convolution.convolution"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

local function make(kind, rank)
  local default = {}
  for axis = 1, rank do default[axis] = 2 end
  local Pooling = Layer:extend(("%sPooling%dD"):format(kind, rank), {
    input_spec = {ndim = rank + 2},
    positional_order = "pool_size strides padding data_format name",
    config = {
      {"pool_size", "integers", rank = rank, min = 1, default = default},
      {"strides", "integers", rank = rank, min = 1, optional = true},
      {"padding", "choice", choices = {"valid", "same"}, default = "valid"}, options.data_format(),
    },
  })

  function Pooling:init(args)
    self:configure(args, Pooling)
    Layer.init(self, args)
    self.strides = self.strides or self.pool_size
  end

  function Pooling:call(inputs)
    local pool = kind == "Max" and ops.max_pool or ops.average_pool
    return pool(inputs, self.pool_size,
      {strides = self.strides, padding = self.padding, data_format = self.data_format})
  end

  function Pooling:compute_output_shape(input_shape)
    local window = {kernel_size = self.pool_size, strides = self.strides, padding = self.padding,
      data_format = self.data_format,
      dilation_rate = {1, 1, 1}}
    local channels = input_shape[options.channels_first(self) and 2 or #input_shape]
    return convolution.output_shape(window, input_shape, channels,
      convolution.forward_size(window, input_shape))
  end

  return Pooling
end

return family(make)
