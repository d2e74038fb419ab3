--- Layers: `cusp.layers`.
-- @module cusp.layers
local namespace = require "cusp.base.namespace"
local plain = require "cusp.base.plain"

-- Wing → file → what it holds: one class, which the file returns, or several that it returns by name.
local wings = {
  machinery = {
    layer = "Layer", wrapper = "Wrapper",
  },
  core = {
    input_layer = "InputLayer", dense = "Dense", einsum_dense = "EinsumDense",
    embedding = "Embedding", reversible_embedding = "ReversibleEmbedding", identity = "Identity",
    masking = "Masking", lambda = "Lambda",
  },
  activations = {
    activation = "Activation", prelu = "PReLU",
    rectifiers = "ReLU LeakyReLU ELU Softmax",
  },
  convolution = {
    conv = "Conv1D Conv2D Conv3D",
    conv_transpose = "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
    depthwise_conv = "DepthwiseConv1D DepthwiseConv2D",
    separable_conv = "SeparableConv1D SeparableConv2D",
  },
  pooling = {
    pooling = "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D "
      .. "AveragePooling3D",
    global_pooling = "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
      .. "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
    adaptive_pooling = "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D "
      .. "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
  },
  normalization = {
    batch_normalization = "BatchNormalization", spectral_normalization = "SpectralNormalization",
    normalizations = "LayerNormalization GroupNormalization RMSNormalization UnitNormalization",
  },
  regularization = {
    dropout = "Dropout",
    noise = "GaussianNoise GaussianDropout AlphaDropout SpatialDropout1D SpatialDropout2D "
      .. "SpatialDropout3D ActivityRegularization",
  },
  reshaping = {
    flatten = "Flatten", reshape = "Reshape", permute = "Permute", repeat_vector = "RepeatVector",
    borders = "Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    up_sampling = "UpSampling1D UpSampling2D UpSampling3D",
  },
  merging = {
    merging = "Add Subtract Multiply Average Maximum Minimum add subtract multiply average "
      .. "maximum minimum",
    concatenate = "Concatenate concatenate",
    dot = "Dot dot",
  },
  recurrent = {
    lstm = "LSTM", lstm_cell = "LSTMCell", gru = "GRU", gru_cell = "GRUCell",
    simple_rnn = "SimpleRNN", simple_rnn_cell = "SimpleRNNCell", rnn = "RNN",
    stacked_rnn_cells = "StackedRNNCells", bidirectional = "Bidirectional",
    time_distributed = "TimeDistributed",
    conv_lstm = "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
  },
  attention = {
    multi_head_attention = "MultiHeadAttention", group_query_attention = "GroupQueryAttention",
    attention = "Attention AdditiveAttention",
  },
  preprocessing = {
    normalization_preprocessing = "Normalization", discretization = "Discretization",
    category_encoding = "CategoryEncoding", hashing = "Hashing", hashed_crossing = "HashedCrossing",
    string_lookup = "StringLookup", integer_lookup = "IntegerLookup",
    text_vectorization = "TextVectorization", stft_spectrogram = "STFTSpectrogram",
    mel_spectrogram = "MelSpectrogram", pipeline = "Pipeline",
  },
  image = {
    rescaling = "Rescaling",
  },
}

local members = {}
for wing, files in pairs(wings) do
  for file, names in pairs(files) do
    local path, several = wing .. "." .. file, names:find " "
    for name in names:gmatch "%S+" do members[name] = several and { path, name } or path end
  end
end
members.GroupedQueryAttention = members.GroupQueryAttention

-- Layers of images, each in a file of its own name.
local image_layers = {
  "Resizing CenterCrop RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom RandomShear RandomPerspective",
  "RandomElasticTransform RandomBrightness RandomContrast RandomHue RandomSaturation RandomSharpness RandomGrayscale",
  "RandomInvert RandomPosterization RandomErasing RandomGaussianBlur RandomColorJitter RandomColorDegeneration RandAugment",
  "AugMix MixUp CutMix Solarization AutoContrast Equalization ContrastLimitedAdaptiveHistogramEqualization",
  "MaxNumBoundingBoxes",
}
for _, names in ipairs(image_layers) do
  for name in names:gmatch "%S+" do
    local file = plain.lower((name:gsub("(%l)(%u)", "%1_%2")))
    members[name] = "image." .. file
  end
end

-- Keras's other names for some of them.
local aliases = {}
for name, other in pairs {
  MaxPool = "MaxPooling", AvgPool = "AveragePooling", GlobalMaxPool = "GlobalMaxPooling", GlobalAvgPool = "GlobalAveragePooling",
  Convolution = "Conv", SeparableConvolution = "SeparableConv", DepthwiseConvolution = "DepthwiseConv",
} do
  for rank = 1, 3 do
    local target = ("%s%dD"):format(other, rank)
    if members[target] then aliases[("%s%dD"):format(name, rank)] = target end
  end
end
for rank = 1, 3 do aliases[("Convolution%dDTranspose"):format(rank)] = ("Conv%dDTranspose"):format(rank) end
for name, target in pairs(aliases) do members[name] = members[target] end

local layers = namespace.new("cusp.layers", members)

--- The input of a functional model; see `cusp.Input`.
function layers.Input(...)
  return require("cusp.symbolic.tensors").input(...)
end

return namespace.of_objects(layers, {what = "layer", module = "keras.layers", aliases = aliases})
