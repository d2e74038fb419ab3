--- Equalizes the histogram of each channel over the batch, so that all values are about equally
-- frequent. Active during training.
-- @classmod cusp.layers.Equalization
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt=256] integer bins of the histogram
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local histograms = require "cusp.layers.image.histograms"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local bytes = {0, 255}

-- The new value of each bin per channel, `[channels, bins]`.
local function tables(counts)
  local sums = ops.cumsum(counts, 2)
  local total = sums:slice{{}, {-1, -1}}
  -- the count of the first nonempty bin
  local first = ops.min(ops.where(ops.greater(sums, 0), sums, total), 2, true)
  local extent = ops.subtract(total, first)
  local shares = ops.divide(ops.multiply(ops.subtract(sums, first), 255),
    ops.where(ops.equal(extent, 0), 1.0, extent))
  return ops.clip(ops.round(shares), 0, 255)
end

return Base.define("Equalization",
  {arguments.value_range(), {"bins", "integer", min = 1, default = 256}, options.data_format()}, {
  transform = function(self, images)
    local axis, shape = select(3, self:axes()), {1, 1, 1, 1}
    local channels, bins = images.shape[axis], self.bins
    shape[axis] = channels
    local channel = ops.reshape(ops.arange(0, channels, {dtype = "int32"}), shape)
    local values = self.map_range(images, self.value_range, bytes)
    local scaled = ops.clip(ops.divide(ops.multiply(values, bins - 1), 255), 0, bins - 1)
    local found = ops.cast(scaled, "int32")
    local counts = histograms.count(found, channel, channels, bins)
    local equalized = ops.take(ops.reshape(tables(counts), {-1}),
      ops.add(ops.multiply(channel, bins), found), 1)
    -- a channel with a single colour is unchanged
    local plain = ops.reshape(ops.less_equal(ops.count_nonzero(counts, 2), 1), shape)
    return self.map_range(ops.where(plain, values, ops.cast(equalized, values.dtype)), bytes,
      self.value_range)
  end,
})
