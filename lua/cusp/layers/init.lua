--- Layers: `cusp.layers`.
-- @module cusp.layers
local namespace = require "cusp.namespace"
local plain = require "cusp.plain"

local members = {
  Layer = "layer", InputLayer = "input_layer",
  Dense = "dense", EinsumDense = "einsum_dense",
  Embedding = "embedding", ReversibleEmbedding = "reversible_embedding",
  Activation = "activation", Identity = "identity", Masking = "masking", Lambda = "lambda", Wrapper = "wrapper",
  Dropout = "dropout", Flatten = "flatten", Reshape = "reshape", Permute = "permute", RepeatVector = "repeat_vector", PReLU = "prelu",
  BatchNormalization = "batch_normalization", SpectralNormalization = "spectral_normalization",
  LSTM = "lstm", LSTMCell = "lstm_cell", GRU = "gru", GRUCell = "gru_cell", SimpleRNN = "simple_rnn", SimpleRNNCell = "simple_rnn_cell",
  RNN = "rnn", StackedRNNCells = "stacked_rnn_cells", Bidirectional = "bidirectional", TimeDistributed = "time_distributed",
  MultiHeadAttention = "multi_head_attention", GroupQueryAttention = "group_query_attention",
  GroupedQueryAttention = "group_query_attention", Rescaling = "rescaling",
  Normalization = "normalization_preprocessing", Discretization = "discretization", CategoryEncoding = "category_encoding",
  Hashing = "hashing", HashedCrossing = "hashed_crossing", StringLookup = "string_lookup", IntegerLookup = "integer_lookup",
  TextVectorization = "text_vectorization", STFTSpectrogram = "stft_spectrogram", MelSpectrogram = "mel_spectrogram",
  Pipeline = "pipeline",
}

-- Files that hold a family of classes.
local families = {
  conv = "Conv1D Conv2D Conv3D",
  conv_transpose = "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
  depthwise_conv = "DepthwiseConv1D DepthwiseConv2D",
  separable_conv = "SeparableConv1D SeparableConv2D",
  pooling = "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D",
  global_pooling = "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D "
    .. "GlobalAveragePooling3D",
  adaptive_pooling = "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D AdaptiveAveragePooling1D "
    .. "AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
  merging = "Add Subtract Multiply Average Maximum Minimum add subtract multiply average maximum minimum",
  concatenate = "Concatenate concatenate",
  dot = "Dot dot",
  rectifiers = "ReLU LeakyReLU ELU Softmax",
  normalizations = "LayerNormalization GroupNormalization RMSNormalization UnitNormalization",
  noise = "GaussianNoise GaussianDropout AlphaDropout SpatialDropout1D SpatialDropout2D SpatialDropout3D ActivityRegularization",
  borders = "Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D ZeroPadding3D",
  up_sampling = "UpSampling1D UpSampling2D UpSampling3D",
  attention = "Attention AdditiveAttention",
  conv_lstm = "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
}
for file, names in pairs(families) do
  for name in names:gmatch "%S+" do members[name] = {file, name} end
end

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
    members[name] = file
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
  return require("cusp.models.symbolic").input(...)
end

return namespace.of_objects(layers, {what = "layer", module = "keras.layers", aliases = aliases})
