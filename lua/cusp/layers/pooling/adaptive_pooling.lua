--- Pooling to a given output size, by the largest or the mean value of each region
-- (`AdaptiveMaxPooling1D` ... `AdaptiveAveragePooling3D`).
-- Input `[batch, spatial..., channels]`, output `[batch, output_size..., channels]`. Output i of n
-- covers the inputs from `floor(i * size / n)` up to `ceil((i + 1) * size / n)`.
-- @classmod cusp.layers.AdaptiveAveragePooling2D
-- @tparam integer|table output_size
-- @tparam[opt] string data_format
local family = require "cusp.layers.pooling.family"
local Layer = require "cusp.layers.machinery.layer"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local shapes = require "cusp.base.shape"

local function make(kind, rank)
  return Layer:extend(("Adaptive%sPooling%dD"):format(kind, rank), {
    input_spec = {ndim = rank + 2},
    config = {{"output_size", "integers", rank = rank, min = 1}, options.data_format()},

    call = function(self, inputs)
      local pool = kind == "Max" and ops.adaptive_max_pool or ops.adaptive_average_pool
      return pool(inputs, self.output_size,
        options.channels_first(self) and "channels_first" or "channels_last")
    end,

    compute_output_shape = function(self, input_shape)
      local shape, first = shapes.copy(input_shape), options.channels_first(self) and 3 or 2
      for i, size in ipairs(self.output_size) do shape[first + i - 1] = size end
      return shape
    end,
  })
end

return family(make)
