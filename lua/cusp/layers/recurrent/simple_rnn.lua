--- A fully connected recurrent layer: the output of each step is an input of the next.
-- Input `[batch, time, features]`; output `[batch, units]`, or `[batch, time, units]` with
-- `return_sequences`.
-- @classmod cusp.layers.SimpleRNN
-- @tparam integer units
-- @param[opt="tanh"] activation
-- @tparam[opt=true] boolean use_bias
-- @tparam[opt=0] number dropout, recurrent_dropout
-- @tparam[opt=false] boolean return_sequences, return_state, go_backwards, stateful, unroll
-- @see cusp.layers.LSTM
local Recurrent = require "cusp.layers.recurrent.recurrent"
local RecurrentCell = require "cusp.layers.recurrent.recurrent_cell"
local SimpleRNNCell = require "cusp.layers.recurrent.simple_rnn_cell"
local options = require "cusp.layers.machinery.options"

local SimpleRNN = Recurrent:extend("SimpleRNN", {
  input_spec = {ndim = 3},
  config = options.join(RecurrentCell.rows({}, {}, true), Recurrent.flags, {options.seed(true)},
    Recurrent.keywords),
})

function SimpleRNN:init(args)
  self:configure(args, SimpleRNN)
  Recurrent.init(self, args)
  self.cell = SimpleRNNCell(RecurrentCell.arguments_from(SimpleRNNCell, self))
end

return SimpleRNN
