--- Repeats each sample: `[batch, features]` becomes `[batch, n, features]`.
-- @classmod cusp.layers.RepeatVector
-- @tparam integer n
local Layer = require "cusp.layers.machinery.layer"
local ops = require "cusp.ops"

return Layer:extend("RepeatVector", {
  keeps_dtype = true,
  input_spec = {ndim = 2},
  config = {{"n", "integer", min = 1}},
  call = function(self, inputs)
    local shape = inputs.shape
    return ops.broadcast_to(ops.expand_dims(inputs, 2), {shape[1], self.n, shape[2]})
  end,
  compute_output_shape = function(self, input_shape)
    return {input_shape[1], self.n, input_shape[2]}
  end,
})
