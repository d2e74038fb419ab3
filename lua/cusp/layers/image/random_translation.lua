--- Shifts images by random shares of their height and width.
-- @classmod cusp.layers.RandomTranslation
-- @tparam number|table height_factor share of the height, between `-height_factor` and
-- `height_factor` or between two numbers; positive values shift down
-- @tparam number|table width_factor the same for the width; positive values shift right
-- @tparam[opt="reflect"] string fill_mode how to fill beyond the borders: "reflect", "wrap",
-- "constant", "nearest"
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt] integer seed
-- @tparam[opt=0] number fill_value of fill_mode "constant"
-- @tparam[opt] string data_format
local AffineLayer = require "cusp.layers.image.affine_layer"
local arguments = require "cusp.layers.image.image_arguments"
local options = require "cusp.layers.machinery.options"

local height_factor = arguments.factor("height_factor", {-1, 1}, {strict = true, kept = true})
local width_factor = arguments.factor("width_factor", {-1, 1}, {strict = true, kept = true})

return AffineLayer.define("RandomTranslation", {
  height_factor, width_factor, arguments.fill_mode(), arguments.interpolation(), options.seed(),
  arguments.fill_value(),
  options.data_format(),
}, {
  draw_matrix = function(self, images, seed, height, width)
    local down = self:draw_each(seed, images, arguments.range_of(height_factor, self.height_factor))
    local across = self:draw_each(seed, images, arguments.range_of(width_factor, self.width_factor))
    return {1, 0, across * -width, 0, 1, down * -height}
  end,
})
