--- Shears images: shifts rows or columns against each other.
-- @classmod cusp.layers.RandomShear
-- @tparam[opt=0] number|table x_factor maximum shift in pixels of a row against the row above, or
-- between two numbers; the direction is random
-- @tparam[opt=0] number|table y_factor the same for columns
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt="reflect"] string fill_mode how to fill beyond the borders: "reflect", "wrap",
-- "constant", "nearest"
-- @tparam[opt=0] number fill_value of fill_mode "constant"
-- @tparam[opt] string data_format
-- @tparam[opt] integer seed
local AffineLayer = require "cusp.layers.image.affine_layer"
local arguments = require "cusp.layers.image.image_arguments"
local ops = require "cusp.ops"
local options = require "cusp.layers.machinery.options"

local rule = {symmetric = true, kept = true, default = 0.0}
local x_factor, y_factor = arguments.factor("x_factor", {0, 1}, rule),
  arguments.factor("y_factor", {0, 1}, rule)

return AffineLayer.define("RandomShear", {
  x_factor, y_factor, arguments.interpolation(), arguments.fill_mode(), arguments.fill_value(),
  options.data_format(), options.seed(),
}, {
  draw_matrix = function(self, images, seed)
    local direction = ops.where(ops.greater(self:draw_each(seed, images, {0.0, 1.0}), 0.5), -1.0,
      1.0)
    local across = self:draw_each(seed, images, arguments.range_of(x_factor, self.x_factor))
      * direction
    local down = self:draw_each(seed, images, arguments.range_of(y_factor, self.y_factor))
      * direction
    return {1, across, 0, down, 1, 0}
  end,
})
