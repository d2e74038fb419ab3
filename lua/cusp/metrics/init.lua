--- Metrics, which measure a model's quality. Classes accumulate their state over batches; functions
-- return one value per sample.
-- @module cusp.metrics
local namespace = require "cusp.base.namespace"

local members = {
  AUC = "auc", Accuracy = "accuracy", BinaryAccuracy = "binary_accuracy",
  BinaryCrossentropy = "binary_crossentropy",
  BinaryIoU = "binary_iou", CategoricalAccuracy = "categorical_accuracy",
  CategoricalCrossentropy = "categorical_crossentropy",
  CategoricalHinge = "categorical_hinge", ConcordanceCorrelation = "concordance_correlation",
  CosineSimilarity = "cosine_similarity", F1Score = "f1_score", FBetaScore = "fbeta_score",
  FalseNegatives = "false_negatives",
  FalsePositives = "false_positives", Hinge = "hinge", IoU = "iou", KLDivergence = "kl_divergence",
  LogCoshError = "log_cosh_error", Mean = "mean", MeanAbsoluteError = "mean_absolute_error",
  MeanAbsolutePercentageError = "mean_absolute_percentage_error", MeanIoU = "mean_iou",
  MeanMetricWrapper = "mean_metric_wrapper", MeanSquaredError = "mean_squared_error",
  MeanSquaredLogarithmicError = "mean_squared_logarithmic_error", Metric = "metric",
  OneHotIoU = "one_hot_iou",
  OneHotMeanIoU = "one_hot_mean_iou", PearsonCorrelation = "pearson_correlation",
  Poisson = "poisson", Precision = "precision",
  PrecisionAtRecall = "precision_at_recall", R2Score = "r2_score", Recall = "recall",
  RecallAtPrecision = "recall_at_precision",
  RootMeanSquaredError = "root_mean_squared_error",
  SensitivityAtSpecificity = "sensitivity_at_specificity",
  SparseCategoricalAccuracy = "sparse_categorical_accuracy",
  SparseCategoricalCrossentropy = "sparse_categorical_crossentropy",
  SparseTopKCategoricalAccuracy = "sparse_top_k_categorical_accuracy",
  SpecificityAtSensitivity = "specificity_at_sensitivity",
  SquaredHinge = "squared_hinge", Sum = "sum",
  TopKCategoricalAccuracy = "top_k_categorical_accuracy",
  TrueNegatives = "true_negatives", TruePositives = "true_positives",
}

local functions = {
  BCE = "binary_crossentropy", KLD = "kl_divergence", MAE = "mean_absolute_error",
  MAPE = "mean_absolute_percentage_error",
  MSE = "mean_squared_error", MSLE = "mean_squared_logarithmic_error", bce = "binary_crossentropy",
  binary_accuracy = "binary_accuracy", binary_crossentropy = "binary_crossentropy",
  categorical_accuracy = "categorical_accuracy",
  categorical_crossentropy = "categorical_crossentropy",
  categorical_hinge = "categorical_hinge", concordance_correlation = "concordance_correlation",
  hinge = "hinge",
  kl_divergence = "kl_divergence", kld = "kl_divergence", log_cosh = "log_cosh_error",
  logcosh = "log_cosh_error",
  mae = "mean_absolute_error", mape = "mean_absolute_percentage_error",
  mean_absolute_error = "mean_absolute_error",
  mean_absolute_percentage_error = "mean_absolute_percentage_error",
  mean_squared_error = "mean_squared_error",
  mean_squared_logarithmic_error = "mean_squared_logarithmic_error", mse = "mean_squared_error",
  msle = "mean_squared_logarithmic_error", pearson_correlation = "pearson_correlation",
  poisson = "poisson",
  sparse_categorical_accuracy = "sparse_categorical_accuracy",
  sparse_categorical_crossentropy = "sparse_categorical_crossentropy",
  sparse_top_k_categorical_accuracy = "sparse_top_k_categorical_accuracy",
  squared_hinge = "squared_hinge",
  top_k_categorical_accuracy = "top_k_categorical_accuracy",
}
for name, file in pairs(functions) do members[name] = {file, "fn"} end
for _, name in ipairs{"binary_focal_crossentropy", "categorical_focal_crossentropy", "huber"} do
  members[name] = {"loss_functions", name}
end

-- Short names refer to classes here, although functions of the same names exist.
local aliases = {
  mse = "MeanSquaredError", MSE = "MeanSquaredError", mae = "MeanAbsoluteError",
  MAE = "MeanAbsoluteError",
  mape = "MeanAbsolutePercentageError", MAPE = "MeanAbsolutePercentageError",
  msle = "MeanSquaredLogarithmicError",
  MSLE = "MeanSquaredLogarithmicError", bce = "BinaryCrossentropy", BCE = "BinaryCrossentropy",
  kld = "KLDivergence",
  KLD = "KLDivergence", fbeta_score = "FBetaScore", log_cosh = "LogCoshError",
  logcosh = "LogCoshError",
}

local metrics = namespace.of_objects(namespace.new("cusp.metrics", members),
  {what = "metric", module = "keras.metrics"})
local get = metrics.get

--- Looks up a metric by name ("mse", "AUC"), serialised form, instance, or function.
-- @raise for an unknown name, with the nearest one
function metrics.get(identifier)
  return get(type(identifier) == "string" and aliases[identifier] or identifier)
end

return metrics
