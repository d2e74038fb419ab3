--- A learnt factor for each channel (Touvron et al., "Going deeper with image transformers", 2021).
-- @classmod cusp.layers.LayerScale
-- @tparam number init_values the first value of all factors
-- @tparam integer projection_dim the number of channels
local Layer = require "cusp.layers.machinery.layer"
local initializers = require "cusp.initializers"
local ops = require "cusp.ops"

return Layer:extend("LayerScale", {
  config = {{"init_values", "number"}, {"projection_dim", "integer", min = 1}},
  build = function(self)
    self.gamma = self:add_weight{
      shape = {self.projection_dim}, initializer = initializers.Constant(self.init_values),
    }
  end,
  compute_output_shape = function(_, shape) return shape end,
  call = function(self, x) return ops.multiply(x, self.gamma) end,
})
