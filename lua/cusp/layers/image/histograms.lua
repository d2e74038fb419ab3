--- Histograms of images and the tables that equalize them.
-- @module cusp.layers.image.histograms
local ops = require "cusp.ops"

local histograms = {}

--- Counts the pixels in each bin, per group.
-- @tparam tensor bins int32, from 0
-- @tparam tensor groups int32, the group of each pixel (from 0); broadcasts to the shape of bins
-- @tparam integer group_count
-- @tparam integer bin_count
-- @treturn tensor `[group_count, bin_count]` of float32
function histograms.count(bins, groups, group_count, bin_count)
  local places = ops.reshape(ops.add(ops.multiply(groups, bin_count), bins), {-1})
  local ones = ops.ones({places.shape[1]}, {dtype = "float32"})
  return ops.reshape(ops.segment_sum(ones, places, group_count * bin_count),
    {group_count, bin_count})
end

return histograms
