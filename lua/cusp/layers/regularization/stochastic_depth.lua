--- Leaves whole samples out while training, and makes up for it in the others: a branch beside a
-- shortcut becomes shallower at random (Huang et al., "Deep networks with stochastic depth", 2016).
-- @classmod cusp.layers.StochasticDepth
-- @tparam number drop_path_rate the probability that a sample is left out
local Layer = require "cusp.layers.machinery.layer"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

return Layer:extend("StochasticDepth", {
  call_arguments = {"training"},
  config = {{"drop_path_rate", "number", min = 0, below = 1}},
  build = function(self) self.generator = random.SeedGenerator() end,
  compute_output_shape = function(_, shape) return shape end,

  call = function(self, x, args)
    if not args.training then return x end
    local keep, shape = 1 - self.drop_path_rate, {x.shape[1]}
    for i = 2, #x.shape do shape[i] = 1 end
    local drawn = random.uniform(shape, 0, 1, {dtype = x.dtype, seed = self.generator})
    return ops.multiply(ops.divide(x, keep), ops.floor(ops.add(drawn, keep)))
  end,
})
