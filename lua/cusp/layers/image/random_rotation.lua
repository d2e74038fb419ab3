--- Rotates images by a random angle around their centre.
-- @classmod cusp.layers.RandomRotation
-- @tparam number|table factor share of a full turn: between `-factor` and `factor`, or between two
-- numbers; positive values turn counter-clockwise
-- @tparam[opt="reflect"] string fill_mode how to fill beyond the borders: "reflect", "wrap",
-- "constant", "nearest"
-- @tparam[opt="bilinear"] string interpolation or "nearest"
-- @tparam[opt] integer seed
-- @tparam[opt=0] number fill_value of fill_mode "constant"
-- @tparam[opt] string data_format
-- @usage local layer = layers.RandomRotation(0.1)
local AffineLayer = require "cusp.layers.image.affine_layer"
local arguments = require "cusp.layers.image.image_arguments"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

return AffineLayer.define("RandomRotation", {
  arguments.factor("factor", {-1, 1}), arguments.fill_mode(), arguments.interpolation(),
  options.seed(), arguments.fill_value(),
  options.data_format(),
}, {
  draw_matrix = function(self, images, seed, height, width)
    local angle = ops.multiply(self:draw_each(seed, images, self.factor), 2 * math.pi)
    local cos, sin, x, y = ops.cos(angle), ops.sin(angle), (width - 1) / 2, (height - 1) / 2
    return {
      cos, -sin, x - cos * x + sin * y,
      sin, cos, y - sin * x - cos * y,
    }
  end,
})
