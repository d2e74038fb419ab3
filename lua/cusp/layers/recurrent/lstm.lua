--- Long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997).
-- Input `[batch, time, features]`; output `[batch, units]`, or `[batch, time, units]` with
-- `return_sequences`, or with `return_state` a list of that, the last `h` and the last `c`. States
-- are given as `{initial_state = {h, c}}`. The usual activations run as one operation over the
-- whole sequence; others step by step.
-- @classmod cusp.layers.LSTM
-- @tparam integer units
-- @param[opt="tanh"] activation
-- @param[opt="sigmoid"] recurrent_activation
-- @tparam[opt=true] boolean use_bias
-- @param[opt] kernel_initializer, recurrent_initializer, bias_initializer
-- @tparam[opt=true] boolean unit_forget_bias
-- @param[opt] kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer,
-- and constraints of the same names
-- @tparam[opt=0] number dropout
-- @tparam[opt=0] number recurrent_dropout
-- @tparam[opt] integer seed
-- @tparam[opt=false] boolean return_sequences, return_state, go_backwards, stateful, unroll
-- @usage local encode = layers.LSTM(32)
local LSTMCell = require "cusp.layers.recurrent.lstm_cell"
local Recurrent = require "cusp.layers.recurrent.recurrent"
local RecurrentCell = require "cusp.layers.recurrent.recurrent_cell"
local options = require "cusp.layers.machinery.options"
local row = require "cusp.layers.recurrent.recurrent_row"

local LSTM = Recurrent:extend("LSTM", {
  input_spec = {ndim = 3},
  config = options.join(
    RecurrentCell.rows({options.activation("recurrent_activation", "sigmoid")},
      {options.flag("unit_forget_bias", true)}, true),
    {options.seed()}, Recurrent.flags, Recurrent.keywords,
    {RecurrentCell.implementation, {"use_cudnn", "any", optional = true, transient = true}}),
})

function LSTM:init(args)
  self:configure(args, LSTM)
  Recurrent.init(self, args)
  self.cell = LSTMCell(RecurrentCell.arguments_from(LSTMCell, self))
end

function LSTM:loop(inputs, states, mask, args)
  if row.fits(self) then return row.run(self, "lstm", inputs, states, mask) end
  return Recurrent.loop(self, inputs, states, mask, args)
end

return LSTM
