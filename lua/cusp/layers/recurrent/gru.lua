--- Gated recurrent units over a sequence (Cho et al., 2014).
-- Input `[batch, time, features]`; output `[batch, units]`, or `[batch, time, units]` with
-- `return_sequences`. The usual activations with `reset_after` run as one operation over the whole
-- sequence; others step by step.
-- @classmod cusp.layers.GRU
-- @tparam integer units
-- @param[opt="tanh"] activation
-- @param[opt="sigmoid"] recurrent_activation
-- @tparam[opt=true] boolean use_bias
-- @tparam[opt=0] number dropout, recurrent_dropout
-- @tparam[opt=false] boolean return_sequences, return_state, go_backwards, stateful, unroll
-- @tparam[opt=true] boolean reset_after
-- @see cusp.layers.LSTM
local GRUCell = require "cusp.layers.recurrent.gru_cell"
local Recurrent = require "cusp.layers.recurrent.recurrent"
local RecurrentCell = require "cusp.layers.recurrent.recurrent_cell"
local options = require "cusp.layers.machinery.options"
local row = require "cusp.layers.recurrent.recurrent_row"

local GRU = Recurrent:extend("GRU", {
  input_spec = {ndim = 3},
  config = options.join(
    RecurrentCell.rows({options.activation("recurrent_activation", "sigmoid")}, {}, true),
    {options.seed()}, Recurrent.flags,
    {options.flag("reset_after", true)}, Recurrent.keywords,
    {RecurrentCell.implementation, {"use_cudnn", "any", optional = true, transient = true}}),
})

function GRU:init(args)
  self:configure(args, GRU)
  Recurrent.init(self, args)
  self.cell = GRUCell(RecurrentCell.arguments_from(GRUCell, self))
end

function GRU:loop(inputs, states, mask, args)
  if self.reset_after and row.fits(self) then return row.run(self, "gru", inputs, states, mask) end
  return Recurrent.loop(self, inputs, states, mask, args)
end

return GRU
