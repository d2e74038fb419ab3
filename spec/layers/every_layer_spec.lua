-- The same battery for every layer.
local check_layer = require "spec.support.layer"
local cusp = require "cusp"
local layers = cusp.layers

local rows = {
  { "Dense", { units = 3, activation = "relu" }, { 2, 4 }, { 2, 3 }, 2 },
  { "Dense", { units = 3, use_bias = false, kernel_regularizer = "l2" }, { 2, 5, 4 }, { 2, 5, 3 }, 1 },
  { "EinsumDense", { equation = "abc,cd->abd", output_shape = { 5, 3 }, bias_axes = "d" }, { 2, 5, 4 }, { 2, 5, 3 }, 2 },
  { "Activation", { activation = "tanh" }, { 2, 4 }, { 2, 4 }, 0 },
  { "Dropout", { rate = 0.5, seed = 1 }, { 2, 4 }, { 2, 4 }, 0 },
  { "SpatialDropout1D", { rate = 0.5 }, { 2, 3, 4 }, { 2, 3, 4 }, 0 },
  { "SpatialDropout2D", { rate = 0.5 }, { 2, 3, 3, 4 }, { 2, 3, 3, 4 }, 0 },
  { "GaussianNoise", { stddev = 0.5 }, { 2, 4 }, { 2, 4 }, 0 },
  { "GaussianDropout", { rate = 0.5 }, { 2, 4 }, { 2, 4 }, 0 },
  { "AlphaDropout", { rate = 0.5 }, { 2, 4 }, { 2, 4 }, 0 },
  { "ActivityRegularization", { l2 = 0.1 }, { 2, 4 }, { 2, 4 }, 0 },
  { "Flatten", {}, { 2, 3, 4 }, { 2, 12 }, 0 },
  { "Reshape", { target_shape = { -1, 2 } }, { 2, 3, 4 }, { 2, 6, 2 }, 0 },
  { "Permute", { dims = { 2, 1 } }, { 2, 3, 4 }, { 2, 4, 3 }, 0 },
  { "RepeatVector", { n = 3 }, { 2, 4 }, { 2, 3, 4 }, 0 },
  { "Cropping1D", { cropping = { 1, 2 } }, { 2, 6, 4 }, { 2, 3, 4 }, 0 },
  { "Cropping2D", { cropping = 1 }, { 2, 5, 4, 3 }, { 2, 3, 2, 3 }, 0 },
  { "ZeroPadding2D", { padding = { 1, 2 } }, { 2, 3, 3, 2 }, { 2, 5, 7, 2 }, 0 },
  { "UpSampling1D", { size = 2 }, { 2, 3, 4 }, { 2, 6, 4 }, 0 },
  { "UpSampling2D", { size = 2 }, { 2, 2, 3, 4 }, { 2, 4, 6, 4 }, 0 },
  { "Conv1D", { filters = 3, kernel_size = 2, padding = "causal" }, { 2, 5, 4 }, { 2, 5, 3 }, 2 },
  { "Conv2D", { filters = 3, kernel_size = 2, strides = 2 }, { 2, 6, 5, 4 }, { 2, 3, 2, 3 }, 2 },
  { "Conv3D", { filters = 2, kernel_size = 2 }, { 1, 3, 3, 3, 2 }, { 1, 2, 2, 2, 2 }, 2 },
  { "Conv2DTranspose", { filters = 3, kernel_size = 3, strides = 2, padding = "same" }, { 2, 3, 3, 4 }, { 2, 6, 6, 3 }, 2 },
  { "DepthwiseConv2D", { kernel_size = 2, depth_multiplier = 2 }, { 2, 4, 4, 3 }, { 2, 3, 3, 6 }, 2 },
  { "SeparableConv2D", { filters = 3, kernel_size = 2 }, { 2, 4, 4, 3 }, { 2, 3, 3, 3 }, 3 },
  { "MaxPooling1D", {}, { 2, 6, 3 }, { 2, 3, 3 }, 0 },
  { "MaxPooling2D", { pool_size = 2, padding = "same" }, { 2, 5, 5, 3 }, { 2, 3, 3, 3 }, 0 },
  { "AveragePooling2D", {}, { 2, 4, 4, 3 }, { 2, 2, 2, 3 }, 0 },
  { "GlobalAveragePooling2D", {}, { 2, 4, 4, 3 }, { 2, 3 }, 0 },
  { "GlobalMaxPooling1D", { keepdims = true }, { 2, 4, 3 }, { 2, 1, 3 }, 0 },
  { "AdaptiveAveragePooling2D", { output_size = 2 }, { 2, 5, 4, 3 }, { 2, 2, 2, 3 }, 0 },
  { "BatchNormalization", {}, { 4, 3 }, { 4, 3 }, 4, 2 },
  { "BatchNormalization", { renorm = true, scale = false }, { 4, 3 }, { 4, 3 }, 6, 1 },
  { "LayerNormalization", {}, { 2, 3, 4 }, { 2, 3, 4 }, 2 },
  { "GroupNormalization", { groups = 2 }, { 2, 3, 4 }, { 2, 3, 4 }, 2 },
  { "RMSNormalization", {}, { 2, 4 }, { 2, 4 }, 1 },
  { "UnitNormalization", {}, { 2, 4 }, { 2, 4 }, 0 },
  { "ReLU", { max_value = 1 }, { 2, 4 }, { 2, 4 }, 0 },
  { "LeakyReLU", {}, { 2, 4 }, { 2, 4 }, 0 },
  { "ELU", {}, { 2, 4 }, { 2, 4 }, 0 },
  { "PReLU", { shared_axes = { 2 } }, { 2, 3, 4 }, { 2, 3, 4 }, 1 },
  { "Softmax", {}, { 2, 4 }, { 2, 4 }, 0 },
  { "Identity", {}, { 2, 4 }, { 2, 4 }, 0 },
  { "Masking", {}, { 2, 3, 4 }, { 2, 3, 4 }, 0 },
  { "Rescaling", { scale = 0.5, offset = 1 }, { 2, 4 }, { 2, 4 }, 0 },
  { "LSTM", { units = 3 }, { 2, 4, 5 }, { 2, 3 }, 3 },
  { "LSTM", { units = 3, return_sequences = true, recurrent_activation = "hard_sigmoid" }, { 2, 4, 5 }, { 2, 4, 3 }, 3 },
  { "LSTM", { units = 3, return_state = true }, { 2, 4, 5 }, { { 2, 3 }, { 2, 3 }, { 2, 3 } }, 3 },
  { "GRU", { units = 3 }, { 2, 4, 5 }, { 2, 3 }, 3 },
  { "SimpleRNN", { units = 3, return_sequences = true }, { 2, 4, 5 }, { 2, 4, 3 }, 3 },
  { "Add", {}, { { 2, 3 }, { 2, 3 } }, { 2, 3 }, 0 },
  { "Subtract", {}, { { 2, 3 }, { 2, 3 } }, { 2, 3 }, 0 },
  { "Multiply", {}, { { 2, 3 }, { 2, 1 } }, { 2, 3 }, 0 },
  { "Average", {}, { { 2, 3 }, { 2, 3 }, { 2, 3 } }, { 2, 3 }, 0 },
  { "Maximum", {}, { { 2, 3 }, { 2, 3 } }, { 2, 3 }, 0 },
  { "Minimum", {}, { { 2, 3 }, { 2, 3 } }, { 2, 3 }, 0 },
  { "Concatenate", { axis = 2 }, { { 2, 3, 4 }, { 2, 1, 4 } }, { 2, 4, 4 }, 0 },
  { "Dot", { axes = 2 }, { { 2, 3 }, { 2, 3 } }, { 2, 1 }, 0 },
  { "Attention", { use_scale = true }, { { 2, 3, 4 }, { 2, 5, 4 } }, { 2, 3, 4 }, 1 },
  { "AdditiveAttention", {}, { { 2, 3, 4 }, { 2, 5, 4 } }, { 2, 3, 4 }, 1 },
}

describe("every layer:", function()
  for i, row in ipairs(rows) do
    it(("%s (%d)"):format(row[1], i), function()
      check_layer {
        class = layers[row[1]], arguments = row[2], input_shape = row[3], output_shape = row[4], weights = row[5],
        trainable = row[6] or row[5],
      }
    end)
  end

  it("Embedding", function()
    check_layer { class = layers.Embedding, arguments = { input_dim = 5, output_dim = 3 }, input_shape = { 2, 4 }, input_dtype = "int32",
      output_shape = { 2, 4, 3 }, weights = 1 }
  end)

  it("wrappers", function()
    check_layer { class = layers.TimeDistributed, arguments = { layer = layers.Dense(3) }, input_shape = { 2, 4, 5 },
      output_shape = { 2, 4, 3 }, weights = 2 }
    check_layer { class = layers.Bidirectional, arguments = { layer = layers.LSTM { 3, return_sequences = true } },
      input_shape = { 2, 4, 5 }, output_shape = { 2, 4, 6 }, weights = 6 }
    check_layer { class = layers.SpectralNormalization, arguments = { layer = layers.Dense(3) }, input_shape = { 2, 4 },
      output_shape = { 2, 3 }, weights = 3, trainable = 2 }
    check_layer { class = layers.RNN, arguments = { cell = layers.GRUCell(3) }, input_shape = { 2, 4, 5 }, output_shape = { 2, 3 },
      weights = 3 }
    check_layer { class = layers.RNN, arguments = { cell = { layers.LSTMCell(3), layers.SimpleRNNCell(2) } }, input_shape = { 2, 4, 5 },
      output_shape = { 2, 2 }, weights = 6 }
  end)
end)
