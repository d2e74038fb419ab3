--- One step of a fully connected recurrent layer: `activation(inputs · kernel + state ·
-- recurrent_kernel + bias)`. Inputs `[batch, features]` and states `{h}` with h `[batch, units]`;
-- returns `{h, {h}}`.
-- @classmod cusp.layers.SimpleRNNCell
-- @tparam integer units
-- @param[opt="tanh"] activation
-- @tparam[opt=true] boolean use_bias
local RecurrentCell = require "cusp.layers.recurrent.recurrent_cell"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

return RecurrentCell:extend("SimpleRNNCell", {
  cell_name = "simple_rnn_cell",
  config = options.join(RecurrentCell.rows({}, {}), {options.seed()}),
  call = function(self, inputs, states, args)
    local x, h = self:dropped(inputs, states[1], args)
    local z = ops.add(ops.matmul(x, self.kernel), ops.matmul(h, self.recurrent_kernel))
    if self.use_bias then z = ops.add(z, self.bias) end
    if self.activation then z = self.activation(z) end
    return {z, {z}}
  end,
})
