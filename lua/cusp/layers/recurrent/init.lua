--- Recurrent layers.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.recurrent
return {
  lstm = "LSTM", lstm_cell = "LSTMCell", gru = "GRU", gru_cell = "GRUCell",
  simple_rnn = "SimpleRNN", simple_rnn_cell = "SimpleRNNCell", rnn = "RNN",
  stacked_rnn_cells = "StackedRNNCells", bidirectional = "Bidirectional",
  time_distributed = "TimeDistributed",
  conv_lstm = "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
}
