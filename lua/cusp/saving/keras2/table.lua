--- How TF 2.0's configurations differ from Keras 3's: data alone, read by
-- `cusp.saving.keras2.upgrade`.
--
-- For each class of a namespace: the keys that TF 2.0's `get_config` gives, in its order, after
-- those that all members have (`base`).
--
--     units               written as it is; null where Keras 3 has no such key
--     alpha<negative_slope  TF 2.0's name < Keras 3's
--     groups?1            left out while it is 1, as TF 2.0 did not have it (also a list of 1s)
--     alpha:float32       what follows the colon names a conversion in `keras2`
--     -seed               of Keras 3 alone; not written
--
-- `fixed` holds values of keys that Keras 3 lacks: written, and passed over where a file is read;
-- `passed_over` has keys that older files have and that are never written;
-- `required` says that TF 2 cannot do without them. `class` is TF 2.0's name of the class. Keys
-- that are not mentioned follow at the end if they say something, so that nothing is lost where
-- this program reads the file.
--
-- Sources: `get_config` of each class in TensorFlow 2.0 (tensorflow/python/keras), 2.15 and Keras
-- 3.
-- @module cusp.saving.keras2.table
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"

local table_of = {}

local glorot_uniform = ordered.object({
  class_name = "GlorotUniform", config = ordered.object({seed = null}, {"seed"}),
}, {"class_name", "config"})

---------------------------------------------------------------- layers

local kernel =
  "kernel_initializer bias_initializer kernel_regularizer bias_regularizer activity_regularizer "
  .. "kernel_constraint "
  .. "bias_constraint"
local geometry =
  "kernel_size strides padding data_format dilation_rate groups?1 activation use_bias "
local conv = "filters " .. geometry .. kernel
local recurrent_kernel =
  "kernel_initializer recurrent_initializer bias_initializer %skernel_regularizer "
  .. "recurrent_regularizer "
  .. "bias_regularizer %skernel_constraint recurrent_constraint bias_constraint dropout "
    .. "recurrent_dropout"
local recurrent =
  "return_sequences return_state go_backwards stateful unroll time_major "
  .. "zero_output_for_mask?false "
local of_keras3 = " -seed -use_cudnn -quantization_config"
local pooling = "pool_size padding strides data_format"
local global_pooling = "data_format keepdims?false"
local noise = "rate noise_shape?null seed?null"
local scale =
  "beta_initializer gamma_initializer beta_regularizer gamma_regularizer beta_constraint "
  .. "gamma_constraint"
local affine = "fill_mode fill_value interpolation seed data_format?channels_last"
local padded_attention = "dropout use_scale score_mode -seed"

local function cell_keys(units, forget, activity)
  return units .. recurrent_kernel:format(forget, activity)
end

local lstm = "units activation recurrent_activation use_bias "
local conv_lstm = recurrent
  .. "filters kernel_size strides padding data_format dilation_rate activation "
    .. "recurrent_activation use_bias "
  .. recurrent_kernel:format("unit_forget_bias ", "activity_regularizer ") .. of_keras3
local of_categories = "name trainable? batch_input_shape? dtype:category_dtype "
local with_implementation = {implementation = 2}
local of_layer = {time_major = false}
local of_lstm = {time_major = false, implementation = 2}

table_of.layers = {
  base = "name trainable batch_input_shape? dtype:policy_name",
  classes = {
    InputLayer = {"batch_input_shape<batch_shape dtype sparse ragged?false name -optional",
      no_base = true},
    Dense = {"units activation use_bias " .. kernel .. of_keras3},
    EinsumDense = {"output_shape equation activation bias_axes " .. kernel .. of_keras3},
    Embedding = {
      "input_dim output_dim embeddings_initializer embeddings_regularizer activity_regularizer "
      .. "embeddings_constraint mask_zero "
        .. "input_length" .. of_keras3,
      fixed = {input_length = null, batch_input_shape = {null, null}},
    },
    Activation = {"activation"},
    Masking = {"mask_value"},
    Dropout = {"rate noise_shape seed"},
    SpatialDropout1D = {"rate noise_shape seed", fixed = {noise_shape = null, trainable = true}},
    SpatialDropout2D = {"rate noise_shape seed data_format?channels_last",
      fixed = {noise_shape = null, trainable = true}},
    SpatialDropout3D = {"rate noise_shape seed data_format?channels_last",
      fixed = {noise_shape = null, trainable = true}},
    GaussianNoise = {"stddev seed?null"},
    GaussianDropout = {"rate seed?null"},
    AlphaDropout = {noise},
    ActivityRegularization = {"l1:float32 l2:float32 -activity_regularizer"},
    Flatten = {"data_format"},
    Reshape = {"target_shape"},
    Permute = {"dims"},
    RepeatVector = {"n"},
    ReLU = {"max_value negative_slope threshold"},
    LeakyReLU = {"alpha<negative_slope:float32"},
    ThresholdedReLU = {"theta:float32"},
    ELU = {"alpha:float32"},
    Softmax = {"axis"},
    PReLU = {"alpha_initializer alpha_regularizer alpha_constraint shared_axes"},
    BatchNormalization = {
      "axis:positive_axes momentum epsilon center scale beta_initializer gamma_initializer "
      .. "moving_mean_initializer "
        .. "moving_variance_initializer beta_regularizer gamma_regularizer beta_constraint "
          .. "gamma_constraint synchronized?false "
        .. "renorm?false renorm_clipping:if_renorm renorm_momentum:if_renorm",
    },
    LayerNormalization = {"axis:positive_axes epsilon center scale " .. scale
      .. " rms_scaling?false"},
    GroupNormalization = {"groups axis epsilon center scale " .. scale},
    UnitNormalization = {"axis"},
    SpectralNormalization = {"layer power_iterations"},
    Conv1D = {conv}, Conv2D = {conv}, Conv3D = {conv},
    Conv1DTranspose = {conv .. " output_padding"}, Conv2DTranspose = {conv .. " output_padding"},
    Conv3DTranspose = {conv:gsub("dilation_rate", "dilation_rate?1") .. " output_padding"},
    DepthwiseConv1D = {
      geometry .. "bias_initializer bias_regularizer activity_regularizer bias_constraint "
        .. "depth_multiplier depthwise_initializer "
        .. "depthwise_regularizer depthwise_constraint -filters -kernel_initializer "
          .. "-kernel_regularizer -kernel_constraint",
    },
    SeparableConv1D = {
      conv .. " depth_multiplier depthwise_initializer pointwise_initializer "
        .. "depthwise_regularizer pointwise_regularizer "
        .. "depthwise_constraint pointwise_constraint",
      fixed = {kernel_initializer = glorot_uniform, kernel_regularizer = null,
        kernel_constraint = null},
    },
    MaxPooling1D = {"strides pool_size padding data_format"},
    AveragePooling1D = {"strides pool_size padding data_format"},
    MaxPooling2D = {pooling}, MaxPooling3D = {pooling}, AveragePooling2D = {pooling},
    AveragePooling3D = {pooling},
    GlobalMaxPooling1D = {global_pooling}, GlobalMaxPooling2D = {global_pooling},
    GlobalMaxPooling3D = {global_pooling},
    GlobalAveragePooling1D = {global_pooling}, GlobalAveragePooling2D = {global_pooling},
    GlobalAveragePooling3D = {global_pooling},
    UpSampling1D = {"size"}, UpSampling2D = {"size data_format interpolation"},
    UpSampling3D = {"size data_format"},
    ZeroPadding1D = {"padding data_format?channels_last"}, ZeroPadding2D = {"padding data_format"},
    ZeroPadding3D = {"padding data_format"},
    Cropping1D = {"cropping"}, Cropping2D = {"cropping data_format"},
    Cropping3D = {"cropping data_format"},
    Concatenate = {"axis"},
    Dot = {"axes normalize"},
    Attention = {padded_attention},
    AdditiveAttention = {"dropout use_scale -score_mode -seed"},
    MultiHeadAttention = {
      "num_heads key_dim value_dim dropout use_bias output_shape attention_axes " .. kernel
      .. " query_shape:query_shape "
        .. "key_shape:key_shape value_shape:value_shape -seed -use_gate -sliding_window "
          .. "-flash_attention",
      fixed = {query_shape = null, key_shape = null, value_shape = null}, required = true,
    },
    Rescaling = {"scale offset"},
    Resizing = {
      "height width interpolation crop_to_aspect_ratio pad_to_aspect_ratio?false antialias?false "
      .. "fill_mode?constant fill_value?0 "
        .. "data_format?channels_last",
    },
    CenterCrop = {"height width data_format?channels_last"},
    RandomCrop = {"height width seed data_format?channels_last"},
    RandomFlip = {"mode seed data_format?channels_last"}, RandomRotation = {"factor " .. affine},
    RandomTranslation = {"height_factor width_factor " .. affine},
    RandomZoom = {"height_factor width_factor " .. affine},
    RandomBrightness = {"factor value_range seed data_format?channels_last"},
    RandomContrast = {"factor seed data_format?channels_last -value_range"},
    LSTM = {
      recurrent .. cell_keys(lstm, "unit_forget_bias ", "activity_regularizer ")
      .. " implementation" .. of_keras3, fixed = of_lstm,
    },
    LSTMCell = {cell_keys(lstm, "unit_forget_bias ", "") .. " implementation" .. of_keras3,
      fixed = with_implementation},
    GRU = {recurrent .. cell_keys(lstm, "", "activity_regularizer ")
      .. " implementation reset_after" .. of_keras3, fixed = of_lstm},
    GRUCell = {cell_keys(lstm, "", "") .. " implementation reset_after" .. of_keras3,
      fixed = with_implementation},
    SimpleRNN = {
      recurrent .. cell_keys("units activation use_bias ", "", "activity_regularizer ")
      .. of_keras3, fixed = of_layer, passed_over = with_implementation,
    },
    SimpleRNNCell = {cell_keys("units activation use_bias ", "", "") .. of_keras3,
      passed_over = with_implementation},
    ConvLSTM1D = {conv_lstm, fixed = of_layer}, ConvLSTM2D = {conv_lstm, fixed = of_layer},
    ConvLSTM3D = {conv_lstm, fixed = of_layer},
    Normalization = {"axis invert mean variance"},
    Discretization = {of_categories
      .. "bin_boundaries num_bins:unless_boundaries epsilon output_mode sparse", no_base = true},
    CategoryEncoding = {"num_tokens output_mode sparse", fixed = {sparse = false}},
    IntegerLookup = {
      of_categories .. "invert max_tokens num_oov_indices oov_token mask_token output_mode sparse "
        .. "pad_to_max_tokens vocabulary_dtype "
        .. "idf_weights vocabulary vocabulary_size has_input_vocabulary?null oov_method?floormod "
          .. "salt?null",
      no_base = true,
    },
    StringLookup = {
      of_categories .. "invert max_tokens num_oov_indices oov_token mask_token output_mode sparse "
        .. "pad_to_max_tokens idf_weights vocabulary vocabulary_size has_input_vocabulary?null "
          .. "encoding oov_method?floormod salt?null",
      no_base = true,
    },
    TextVectorization = {
      "name trainable? batch_input_shape? dtype:string_dtype max_tokens standardize split ngrams "
        .. "output_mode output_sequence_length pad_to_max_tokens sparse ragged vocabulary "
          .. "idf_weights encoding vocabulary_size has_input_vocabulary?null",
      no_base = true,
    },
    Hashing = {of_categories .. "num_bins salt mask_value output_mode sparse", no_base = true},
    HashedCrossing = {of_categories .. "num_bins output_mode sparse", no_base = true},
    RNN = {recurrent .. "cell", fixed = of_layer},
    StackedRNNCells = {"cells"},
    Bidirectional = {"layer:forward_layer merge_mode backward_layer:given_backward"},
    TimeDistributed = {"layer"},
  },
}

local layers = table_of.layers.classes
layers.LocallyConnected1D = {
  "filters kernel_size strides padding data_format activation use_bias " .. kernel
  .. " implementation:local_implementation",
}
layers.LocallyConnected2D = layers.LocallyConnected1D
layers.DepthwiseConv2D, layers.SeparableConv2D = layers.DepthwiseConv1D, layers.SeparableConv1D
for name in ("Add Subtract Multiply Average Maximum Minimum Identity Wrapper"):gmatch "%S+" do
  layers[name] = {""}
end

---------------------------------------------------------------- what layers hold

local fans = "-input_axes -output_axes"

table_of.initializers = {
  base = "",
  classes = {
    Zeros = {""}, Ones = {""}, Constant = {"value"}, Identity = {"gain"},
    RandomNormal = {"mean stddev seed"}, TruncatedNormal = {"mean stddev seed"},
    RandomUniform = {"minval maxval seed"},
    VarianceScaling = {"scale mode distribution seed " .. fans}, Orthogonal = {"gain seed"},
  },
}
for name in (
  "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal"):gmatch "%S+" do
  table_of.initializers.classes[name] = {"seed " .. fans}
end

local l1_l2 = {"l1:float32 l2:float32", class = "L1L2", fixed = {l1 = 0.0, l2 = 0.0}}
table_of.regularizers = {
  base = "",
  classes = {L1 = l1_l2, L2 = l1_l2, L1L2 = {"l1:float32 l2:float32"},
    OrthogonalRegularizer = {"factor mode"}},
}

table_of.constraints = {
  base = "",
  classes = {
    MaxNorm = {"max_value axis"}, NonNeg = {""}, UnitNorm = {"axis"},
    MinMaxNorm = {"min_value max_value rate axis"},
  },
}

---------------------------------------------------------------- activations: Keras 3's name → TF
---------------------------------------------------------------- 2.0's

table_of.activations = {silu = "swish"}

---------------------------------------------------------------- what `compile` takes

-- tf.keras 2.11 to 2.15; TF 2.0's optimizers are in `legacy_optimizers`.
local optimizer =
  "name:optimizer_name weight_decay clipnorm global_clipnorm clipvalue use_ema ema_momentum "
  .. "ema_overwrite_frequency "
  .. "jit_compile is_legacy_optimizer learning_rate:float32"
local adam = "beta_1 beta_2 epsilon amsgrad"
table_of.optimizers = {
  base = optimizer,
  fixed = {jit_compile = false, is_legacy_optimizer = false},
  package = "Custom",
  classes = {
    Adam = {adam}, AdamW = {adam}, Nadam = {"beta_1 beta_2 epsilon"},
    Adamax = {"beta_1 beta_2 epsilon"},
    SGD = {"momentum nesterov"}, RMSprop = {"rho momentum epsilon centered"},
    Adagrad = {"initial_accumulator_value epsilon"}, Adadelta = {"rho epsilon"},
    Lion = {"beta_1 beta_2"},
    Ftrl = {
      "learning_rate_power initial_accumulator_value l1_regularization_strength "
      .. "l2_regularization_strength "
        .. "l2_shrinkage_regularization_strength beta",
    },
    Adafactor = {"beta_2_decay epsilon_1 epsilon_2 clip_threshold relative_step"},
  },
}

local decayed = {decay = 0.0}
table_of.legacy_optimizers = {
  base = "name:optimizer_name learning_rate:float32 decay clipnorm?null clipvalue?null "
    .. "-weight_decay -global_clipnorm -use_ema "
    .. "-ema_momentum -ema_overwrite_frequency",
  fixed = decayed,
  classes = {
    Adam = {adam}, Nadam = {"beta_1 beta_2 epsilon", fixed = {decay = 0.004}},
    Adamax = {"beta_1 beta_2 epsilon"},
    SGD = {"momentum nesterov"}, RMSprop = {"rho momentum epsilon centered"},
    Adagrad = {"initial_accumulator_value epsilon"}, Adadelta = {"rho epsilon"},
    Ftrl = {
      "initial_accumulator_value learning_rate_power l1_regularization_strength "
      .. "l2_regularization_strength beta?0 "
        .. "l2_shrinkage_regularization_strength",
    },
  },
}

local schedule = {base = "", classes = {
  ExponentialDecay = {"initial_learning_rate decay_steps decay_rate staircase name:schedule_name"},
  InverseTimeDecay = {"initial_learning_rate decay_steps decay_rate staircase name:schedule_name"},
  PiecewiseConstantDecay = {"boundaries values name:schedule_name"},
  PolynomialDecay =
  {"initial_learning_rate decay_steps end_learning_rate power cycle name:schedule_name"},
  CosineDecay =
  {"initial_learning_rate decay_steps alpha name:schedule_name warmup_target?null warmup_steps?0"},
  CosineDecayRestarts =
  {"initial_learning_rate first_decay_steps t_mul m_mul alpha name:schedule_name"},
}}
table_of.schedules = schedule

-- Classes of Keras 2 that are others here: their class, and what was fixed in them.
table_of.older_classes = {
  CuDNNLSTM = {"LSTM", activation = "tanh", recurrent_activation = "sigmoid"},
  CuDNNGRU = {"GRU", activation = "tanh", recurrent_activation = "sigmoid", reset_after = true},
}

-- Short names of losses: Keras 3 takes them in HDF5 files for metrics, which they are not.
table_of.loss_names = {
  mse = "mean_squared_error", mae = "mean_absolute_error", mape = "mean_absolute_percentage_error",
  msle = "mean_squared_logarithmic_error", bce = "binary_crossentropy", kld = "kl_divergence",
}

-- Names that older files have and that mean the same under another name now. As a metric,
-- cosine_proximity had either sign.
table_of.older_losses = {cosine_proximity = "cosine_similarity", cosine = "cosine_similarity",
  huber_loss = "huber"}
table_of.older_metrics = {
  kullback_leibler_divergence = "kl_divergence", KullbackLeiblerDivergence = "KLDivergence",
}

-- The class's own keys follow as they are.
table_of.losses = {base = "reduction:reduction name -dtype -fn", classes = {}, any = true,
  fixed = {fn = null}}
table_of.metrics = {base = "name dtype:policy_name", classes = {}, any = true}

return table_of
