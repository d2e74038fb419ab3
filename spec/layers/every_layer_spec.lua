-- Runs the same checks on every layer.
local check_layer = require "spec.support.layer"
local cusp = require "cusp"
local layers = cusp.layers

local rows = require "spec.support.layer_rows"

describe("every layer:", function()
  for i, row in ipairs(rows) do
    it(("%s (%d)"):format(row[1], i), function()
      check_layer{
        class = layers[row[1]], arguments = row[2], input_shape = row[3], output_shape = row[4],
        weights = row[5],
        trainable = row[6] or row[5], input_dtype = row.input_dtype,
        training = row.training, several = row.several,
      }
    end)
  end

  it("wrappers", function()
    check_layer{class = layers.TimeDistributed, arguments = {layer = layers.Dense(3)},
      input_shape = {2, 4, 5},
      output_shape = {2, 4, 3}, weights = 2}
    check_layer{class = layers.Bidirectional,
      arguments = {layer = layers.LSTM{3, return_sequences = true}},
      input_shape = {2, 4, 5}, output_shape = {2, 4, 6}, weights = 6}
    check_layer{class = layers.SpectralNormalization, arguments = {layer = layers.Dense(3)},
      input_shape = {2, 4},
      output_shape = {2, 3}, weights = 3, trainable = 2}
    check_layer{class = layers.RNN, arguments = {cell = layers.GRUCell(3)}, input_shape = {2, 4, 5},
      output_shape = {2, 3},
      weights = 3}
    check_layer{class = layers.RNN,
      arguments = {cell = {layers.LSTMCell(3), layers.SimpleRNNCell(2)}}, input_shape = {2, 4, 5},
      output_shape = {2, 2}, weights = 6}
  end)
end)
