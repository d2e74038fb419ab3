--- One step of an LSTM (Hochreiter and Schmidhuber, "Long short-term memory", 1997).
-- Inputs `[batch, features]` and states `{h, c}`, each `[batch, units]`; returns `{h, {h, c}}`. The
-- kernels hold the input, forget, cell and output gates side by side.
-- @classmod cusp.layers.LSTMCell
-- @tparam integer units
-- @param[opt="tanh"] activation
-- @param[opt="sigmoid"] recurrent_activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] kernel_initializer, recurrent_initializer, bias_initializer
-- @tparam[opt=true] boolean unit_forget_bias start the forget gate's bias at 1
-- @param[opt] kernel_regularizer, recurrent_regularizer, bias_regularizer, and constraints
-- of the same names
-- @tparam[opt=0] number dropout of the inputs
-- @tparam[opt=0] number recurrent_dropout of the state
-- @tparam[opt] integer seed
local RecurrentCell = require "cusp.layers.recurrent.recurrent_cell"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"

local LSTMCell = RecurrentCell:extend("LSTMCell", {
  gates = 4,
  cell_name = "lstm_cell",
  config = options.join(
    RecurrentCell.rows({options.activation("recurrent_activation", "sigmoid")},
      {options.flag("unit_forget_bias", true)}),
    {options.seed(), RecurrentCell.implementation}),
})

function LSTMCell:build_bias()
  local units, initializer = self.units, self.bias_initializer
  self.bias = self:add_weight{
    name = "bias", shape = {4 * units}, regularizer = self.bias_regularizer,
    constraint = self.bias_constraint,
    initializer = not self.unit_forget_bias and initializer or function(_, kwargs)
      return ops.concatenate{initializer({units}, kwargs), ops.ones({units}, kwargs.dtype),
        initializer({2 * units}, kwargs)}
    end,
  }
end

function LSTMCell.__getters.state_size(self) return {self.units, self.units} end

function LSTMCell:get_initial_state(batch)
  local zeros = ops.zeros({batch, self.units}, self.compute_dtype)
  return {zeros, zeros}
end

function LSTMCell:call(inputs, states, args)
  local h, c = states[1], states[2]
  inputs, h = self:dropped(inputs, h, args)
  local z = ops.add(ops.matmul(inputs, self.kernel), ops.matmul(h, self.recurrent_kernel))
  if self.use_bias then z = ops.add(z, self.bias) end
  local gates = ops.split(z, 4, 2)
  local input, forget = self.recurrent_activation(gates[1]), self.recurrent_activation(gates[2])
  c = ops.add(ops.multiply(forget, c), ops.multiply(input, self.activation(gates[3])))
  h = ops.multiply(self.recurrent_activation(gates[4]), self.activation(c))
  return {h, {h, c}}
end

return LSTMCell
