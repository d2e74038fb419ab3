--- Equalizes images tile by tile and interpolates between tiles (Zuiderveld, "Contrast limited
-- adaptive histogram equalization", Graphics Gems IV, 1994). Also active outside training. Integers
-- stay integers.
-- @classmod cusp.layers.ContrastLimitedAdaptiveHistogramEqualization
-- @tparam[opt={0, 255}] table value_range of the pixels
-- @tparam[opt=4] number clip_limit limit of a bin as a multiple of the mean; the excess is spread
-- over all bins. 0: no limit
-- @tparam[opt={8, 8}] table tile_grid_size tiles in height and width
-- @tparam[opt] string data_format
local Base = require "cusp.layers.image.base_image_preprocessing_layer"
local arguments = require "cusp.layers.image.image_arguments"
local engine = require "cusp.engine"
local histograms = require "cusp.layers.image.histograms"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local bytes, bins = {0, 255}, 256

local function along(values, axis, dtype)
  local shape = {1, 1, 1, 1}
  shape[axis] = #values
  return ops.reshape(engine.tensor(values, {dtype = dtype}), shape)
end

-- For each position on an axis: its tile, the two tiles whose centres enclose it, and its relative
-- distance to the second.
local function tiles_of(size, tile, count, axis)
  local own, first, second, share = {}, {}, {}, {}
  for i = 1, size do
    local at = (i - 1 - tile / 2) / tile
    local low = math.floor(at)
    own[i] = (i - 1) // tile
    first[i], second[i], share[i] = math.max(low, 0), math.min(low + 1, count - 1), at - low
  end
  return {
    own = along(own, axis, "int32"), share = along(share, axis, "float32"),
    along(first, axis, "int32"), along(second, axis, "int32"),
  }
end

-- [groups, 256]: the new value of each value in a tile.
local function tables(counts, limit, pixels)
  if limit > 0 then
    local clipped = ops.minimum(counts, limit * pixels / bins)
    counts = ops.add(clipped, ops.divide(ops.sum(ops.subtract(counts, clipped), 2, true), bins))
  end
  local sums = ops.cumsum(counts, 2)
  local least = ops.min(sums, 2, true)
  local extent = ops.subtract(pixels, least)
  local shares = ops.divide(ops.multiply(ops.subtract(sums, least), 255),
    ops.where(ops.equal(extent, 0), 1.0, extent))
  return ops.clip(shares, 0, 255)
end

-- x [batch, height, width, channels] of values from 0 to 255.
local function equalize(self, x)
  local batch, height, width, channels = table.unpack(x.shape)
  local grid_height, grid_width = self.tile_grid_size[1], self.tile_grid_size[2]
  local tile_height, tile_width = (height + grid_height - 1) // grid_height,
    (width + grid_width - 1) // grid_width
  local padded_height, padded_width = tile_height * grid_height, tile_width * grid_width
  local padded = ops.pad(x,
    {{0, 0}, {0, padded_height - height}, {0, padded_width - width}, {0, 0}}, {mode = "symmetric"})
  local value = ops.cast(ops.clip(padded, 0, 255), "int32")
  local down = tiles_of(padded_height, tile_height, grid_height, 2)
  local across = tiles_of(padded_width, tile_width, grid_width, 3)
  local image = ops.reshape(ops.arange(0, batch, {dtype = "int32"}), {batch, 1, 1, 1})
  local channel = ops.reshape(ops.arange(0, channels, {dtype = "int32"}), {1, 1, 1, channels})
  local function group(row, column)
    local tile = ops.add(ops.multiply(ops.add(ops.multiply(image, grid_height), row), grid_width),
      column)
    return ops.add(ops.multiply(tile, channels), channel)
  end
  local groups = batch * grid_height * grid_width * channels
  local counts = histograms.count(value, group(down.own, across.own), groups, bins)
  local flat = ops.reshape(tables(counts, self.clip_limit, tile_height * tile_width), {-1})
  local function read(row, column)
    return ops.take(flat, ops.add(ops.multiply(group(row, column), bins), value), 1)
  end
  local function between(a, b, share) return ops.add(a, ops.multiply(ops.subtract(b, a), share)) end
  local above = between(read(down[1], across[1]), read(down[1], across[2]), across.share)
  local below = between(read(down[2], across[1]), read(down[2], across[2]), across.share)
  return between(above, below, down.share):slice{{}, {1, height}, {1, width}, {}}
end

return Base.define("ContrastLimitedAdaptiveHistogramEqualization", {
  arguments.value_range(), {"clip_limit", "number", default = 4.0},
  {"tile_grid_size", "integers", rank = 2, min = 1, default = {8, 8}},
  options.data_format(),
}, {
  keeps_dtype = true,

  transform_images = function(self, images)
    local channels = select(3, self:axes())
    local x = ops.moveaxis(ops.cast(images, "float32"), channels, -1)
    x = self.map_range(equalize(self, self.map_range(x, self.value_range, bytes)), bytes,
      self.value_range)
    return ops.cast(ops.moveaxis(x, -1, channels), images.dtype)
  end,
})
