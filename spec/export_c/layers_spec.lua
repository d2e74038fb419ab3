-- Every layer as a C program, or the reason why it is none.
local cusp = require "cusp"
local exported = require "spec.support.exported"
local namespace = require "cusp.base.namespace"
local Object = require "cusp.base.class"
local L = cusp.layers

-- By class: the shape of the input, and the arguments of the layer.
local images, rows, steps, volumes = {7, 6, 3}, {4, 6}, {5, 3}, {4, 5, 4, 2}
local spatial = {{9, 2}, {7, 8, 2}, volumes}
local one_input = {
  Activation = {rows, "mish"}, ActivityRegularization = {rows, {l1 = 0.1}},
  AlphaDropout = {rows, 0.3}, AutoContrast = {images, {}}, BatchNormalization = {images, {}},
  Bidirectional = {steps, {L.RNN{cell = L.LSTMCell{4}}}}, CenterCrop = {images, {5, 4}},
  ContrastLimitedAdaptiveHistogramEqualization = {images, {}}, Dense = {rows, {5}},
  DepthwiseConv1D = {spatial[1], {3, depth_multiplier = 2}},
  DepthwiseConv2D = {spatial[2], {3, dilation_rate = 2}},
  Discretization = {rows, {bin_boundaries = {-0.5, 0, 0.5}}}, Dropout = {rows, 0.3},
  ELU = {rows, {alpha = 0.3}}, EinsumDense = {rows, {"abc,bcd->adb", output_shape = {5, 4}}},
  Equalization = {images, {}}, Flatten = {images, {}}, GRU = {steps, {4, go_backwards = true}},
  GaussianDropout = {rows, 0.3}, GaussianNoise = {rows, 0.3},
  GroupNormalization = {images, {groups = 3}}, Identity = {rows, {}},
  LSTM = {steps, {4, activation = "relu", return_sequences = true}},
  Lambda = {rows, {function(x) return x * 2 end}}, LayerNormalization = {rows, {axis = {2, 3}}},
  LayerScale = {rows, {init_values = 0.3, projection_dim = 6}}, LeakyReLU = {rows, {}},
  LocallyConnected1D = {spatial[1], {4, 3}}, LocallyConnected2D = {spatial[2], {4, 3}},
  Masking = {steps, {}}, MaxNumBoundingBoxes = {images, {max_number = 3}},
  MelSpectrogram = {{400}, {fft_length = 64, sequence_stride = 32, num_mel_bins = 8,
    sampling_rate = 8000}},
  Normalization = {rows, {mean = 0.3, variance = 2}}, PReLU = {images, {shared_axes = {2, 3}}},
  Permute = {volumes, {3, 1, 2, 4}}, Pipeline = {images, {{L.Rescaling(0.5), L.CenterCrop(5, 5)}}},
  RMSNormalization = {rows, {}}, RNN = {steps, {cell = L.GRUCell{4}}},
  ReLU = {rows, {max_value = 0.5, negative_slope = 0.1}}, RepeatVector = {{6}, 3},
  Rescaling = {rows, {0.5, offset = -1}}, Reshape = {rows, {3, 8}},
  Resizing = {images, {5, 11, interpolation = "bicubic"}},
  STFTSpectrogram = {{60, 1}, {mode = "log", frame_length = 20, frame_step = 10, fft_length = 24}},
  SeparableConv1D = {spatial[1], {4, 3, strides = 2}}, SeparableConv2D = {spatial[2], {4, 3}},
  SimpleRNN = {steps, {4, return_sequences = true}}, Softmax = {rows, {axis = {2, 3}}},
  Solarization = {images, {value_range = {0, 1}}}, SpectralNormalization = {rows, {L.Dense{5}}},
  StochasticDepth = {rows, 0.3}, ThresholdedReLU = {rows, 0.3},
  TimeDistributed = {{3, 6, 5, 2}, {L.Conv2D{3, 2}}}, UnitNormalization = {rows, {axis = {2, 3}}},
}
for rank, shape in ipairs(spatial) do
  for name, args in pairs{
    AdaptiveAveragePooling = 3, AdaptiveMaxPooling = 3, Cropping = 1, ZeroPadding = 2,
    UpSampling = 2, SpatialDropout = 0.3, GlobalAveragePooling = {}, GlobalMaxPooling = {},
    AveragePooling = {3, strides = 2, padding = "same"}, Conv = {4, 2, padding = "same"},
    MaxPooling = {2, data_format = "channels_first"},
  } do
    one_input[("%s%dD"):format(name, rank)] = {shape, args}
  end
  one_input[("Conv%dDTranspose"):format(rank)] = {shape, {3, 3, strides = 2}}
  one_input[("ConvLSTM%dD"):format(rank)] = {{3, table.unpack(shape)}, {2, 2,
    return_sequences = true}}
end
-- In inference they do nothing, or cut from the middle.
for name in ([[AugMix CutMix MixUp RandAugment RandomBrightness RandomColorDegeneration
  RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip
  RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
  RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
  RandomZoom]]):gmatch "%S+" do
  one_input[name] = {images, {}}
end
for name, arguments in pairs{
  RandomBrightness = {0.2}, RandomColorDegeneration = {0.2}, RandomContrast = {0.2},
  RandomHue = {0.2}, RandomPosterization = {4}, RandomRotation = {0.2}, RandomSaturation = {0.2},
  RandomSharpness = {0.2}, RandomTranslation = {0.2, 0.2}, RandomZoom = {0.2},
} do
  one_input[name][2] = arguments
end
one_input.RandomCrop = {images, {5, 5}}

-- Those that take several inputs, integers, or more than one call.
local function merged(name)
  return function(x) return L[name]()({L.Dense{5}(x), L.Dense{5}(x)}) end
end
local function embedded(x) return L.Embedding{9, 4, mask_zero = true}(x) end
local function rnn(...) return L.RNN{cell = {...}, return_sequences = true} end
local others = {
  AdditiveAttention = {rows, function(x) return L.AdditiveAttention()({x, x}) end},
  Attention = {{5}, function(x)
    return L.Attention{score_mode = "concat"}({embedded(x), embedded(x)})
  end, "int32"},
  CategoryEncoding = {{5}, function(x)
    return L.CategoryEncoding{num_tokens = 6, output_mode = "count"}(x)
  end, "int32"},
  CustomScaleLayer = {rows, function(x) return L.CustomScaleLayer(0.3)({x, x}) end},
  Dot = {rows, function(x) return L.Dot{axes = 2, normalize = true}({x, x}) end},
  Embedding = {{5}, embedded, "int32"},
  GRUCell = {{5}, function(x) return rnn(L.GRUCell{4})(embedded(x)) end, "int32"},
  GroupQueryAttention = {rows, function(x)
    return L.GroupQueryAttention{head_dim = 3, num_query_heads = 4, num_key_value_heads = 2}(x, x)
  end},
  InputLayer = {rows, function(x) return x end},
  IntegerLookup = {{4}, function(x)
    return L.IntegerLookup{vocabulary = {0, 5, 1}, output_mode = "multi_hot"}(x)
  end, "int64"},
  LSTMCell = {steps, function(x)
    return L.RNN{cell = L.LSTMCell{4}, stateful = true, return_state = true}(x)
  end, nil, 2},
  MultiHeadAttention = {{5}, function(x)
    return L.MultiHeadAttention{num_heads = 2, key_dim = 3}(embedded(x), embedded(x))
  end, "int32"},
  ReversibleEmbedding = {{5}, function(x)
    local both = L.ReversibleEmbedding{9, 4}
    return both(both(x), {reverse = true})
  end, "int32"},
  SimpleRNNCell = {{5}, function(x)
    return L.Bidirectional{rnn(L.SimpleRNNCell{3})}(embedded(x))
  end, "int32"},
  StackedRNNCells = {{5}, function(x)
    return rnn(L.LSTMCell{4}, L.GRUCell{3}, L.SimpleRNNCell{2})(embedded(x))
  end, "int32"},
  TimeDistributed = {{3, 6}, function(x)
    return L.TimeDistributed{L.LSTM{2}}(L.TimeDistributed{L.Embedding{9, 4, mask_zero = true}}(x))
  end, "int32"},
}
for _, name in ipairs{"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply",
  "Subtract"} do
  others[name] = {rows, merged(name)}
end

local without = {
  HashedCrossing = "hashes are of decimal text", Hashing = "hashes are of decimal text",
  StringLookup = "strings", TextVectorization = "strings",
  Layer = "a base", Wrapper = "a base", InputSpec = "no layer",
}

local function classes()
  local result = {}
  for _, name in ipairs(namespace.names(L)) do
    local class = L[name]
    if Object.is_subclass(class, Object) then result[class] = class.__name end
  end
  return result
end

describe("export_c", function()
  it("knows of every layer whether it becomes C", function()
    for class, name in pairs(classes()) do
      assert.is_truthy(one_input[name] or others[name] or without[name], name)
      assert.is_truthy(L[name] == class, name)
    end
  end)

  it("computes layers of one input as the model does", function()
    local models = {}
    for name, case in pairs(one_input) do
      models[name] = exported.chain(case[1], L[name](case[2]))
    end
    exported.check(models)
  end)

  it("computes layers of several inputs, of integers and of states", function()
    local models = {}
    for name, case in pairs(others) do
      models[name] = exported.build(case[1], case[2], case[3], case[4])
    end
    exported.check(models)
  end)

  it("names the layers that it cannot write", function()
    local hashing = exported.build({3}, function(x) return L.Hashing{num_bins = 7}(x) end, "int32")
    assert.error_matches(function() hashing:export_c "net.c" end,
      "the layer 'hashing' cannot be written in C")
    local quantized = exported.build({3}, function(x) return L.Dense{4}(x) end)
    quantized:quantize "int8"
    assert.error_matches(function() quantized:export_c "net.c" end,
      'before it is quantized, with {weights = "int8"}')
  end)
end)
