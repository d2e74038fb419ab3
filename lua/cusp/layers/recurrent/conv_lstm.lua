--- Convolutional LSTMs over sequences of signals, pictures or volumes: `ConvLSTM1D`, `ConvLSTM2D`,
-- `ConvLSTM3D`. Input `[batch, time, spatial..., channels]` (with data_format "channels_first"
-- `[batch, time, channels, spatial...]`); output `[batch, new spatial..., filters]`, or `[batch,
-- time, new spatial..., filters]` with `return_sequences`, or with `return_state` a list of that,
-- the last `h` and the last `c`. States are given as `{initial_state = {h, c}}`. The spatial sizes
-- should be known. Source: Shi et al., "Convolutional LSTM network: a machine learning approach for
-- precipitation nowcasting", 2015.
-- @classmod cusp.layers.ConvLSTM2D
-- @tparam integer filters
-- @tparam integer|table kernel_size
-- @tparam[opt=1] integer|table strides of the inputs' convolution
-- @tparam[opt="valid"] string padding of the inputs' convolution: "valid" or "same"
-- @tparam[opt] string data_format
-- @tparam[opt=1] integer|table dilation_rate of the inputs' convolution
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
-- @usage local layer = layers.ConvLSTM2D{16, 3, padding = "same", return_sequences = true}
local ConvLSTMCell = require "cusp.layers.recurrent.conv_lstm_cell"
local Recurrent = require "cusp.layers.recurrent.recurrent"
local options = require "cusp.layers.machinery.options"
local structure = require "cusp.base.structure"

local function make(rank)
  local ConvLSTM = Recurrent:extend(("ConvLSTM%dD"):format(rank), {
    rank = rank,
    input_spec = {ndim = rank + 3},
    config = options.join(ConvLSTMCell.rows(rank, true), Recurrent.flags, Recurrent.keywords),
  })

  function ConvLSTM:init(args)
    self:configure(args, ConvLSTM)
    Recurrent.init(self, args)
    self.cell = ConvLSTMCell.of(rank, self)
  end

  function ConvLSTM:compute_output_shape(input_shape)
    if not structure.is_shape(input_shape) then input_shape = input_shape[1] end
    local batch, time = input_shape[1], input_shape[2]
    local state = self.cell:state_shape{batch, table.unpack(input_shape, 3)}
    local output = self.return_sequences and {batch, time, table.unpack(state, 2)} or state
    return self.return_state and {output, state, state} or output
  end

  return ConvLSTM
end

return {ConvLSTM1D = make(1), ConvLSTM2D = make(2), ConvLSTM3D = make(3)}
