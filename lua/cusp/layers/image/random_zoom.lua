--- Zooms images in or out around their centre, each axis separately.
-- @classmod cusp.layers.RandomZoom
-- @tparam number|table height_factor how much more of the image to show: between `-height_factor`
-- (zooming in) and `height_factor` (zooming out), or between two numbers above -1
-- @tparam[opt] number|table width_factor the same for the width; by default equal to the height,
-- which keeps the aspect ratio
-- @tparam[opt="reflect"] string fill_mode how to fill beyond the borders: "reflect", "wrap",
-- "constant", "nearest"
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt] integer seed
-- @tparam[opt=0] number fill_value of fill_mode "constant"
-- @tparam[opt] string data_format
local AffineLayer = require "cusp.layers.image.affine_layer"
local arguments = require "cusp.layers.image.image_arguments"
local options = require "cusp.layers.machinery.options"

local rule = {strict = true, kept = true, open = true}
local height_factor = arguments.factor("height_factor", {-1, 1}, rule)
local width_factor = arguments.factor("width_factor", {-1, 1},
  {strict = true, kept = true, open = true, optional = true})

local function zoom_range(parameter, value)
  local range = arguments.range_of(parameter, value)
  return {1 + range[1], 1 + range[2]}
end

return AffineLayer.define("RandomZoom", {
  height_factor, width_factor, arguments.fill_mode(), arguments.interpolation(), options.seed(),
  arguments.fill_value(),
  options.data_format(),
}, {
  draw_matrix = function(self, images, seed, height, width)
    local down = self:draw_each(seed, images, zoom_range(height_factor, self.height_factor))
    local across = self.width_factor
      and self:draw_each(seed, images, zoom_range(width_factor, self.width_factor)) or down
    return {across, 0, (1 - across) * ((width - 1) / 2), 0, down, (1 - down) * ((height - 1) / 2)}
  end,
})
