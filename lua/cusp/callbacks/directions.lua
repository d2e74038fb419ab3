--- Whether a metric should go up or down.
-- @module cusp.callbacks.directions
local losses = require "cusp.losses"
local names = require "cusp.base.names"

local by_class = {}

for name in ([[Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy
  TopKCategoricalAccuracy SparseTopKCategoricalAccuracy Precision Recall SensitivityAtSpecificity
  SpecificityAtSensitivity PrecisionAtRecall RecallAtPrecision AUC FBetaScore F1Score IoU BinaryIoU
  MeanIoU OneHotIoU OneHotMeanIoU PearsonCorrelation ConcordanceCorrelation CosineSimilarity
  R2Score]]):gmatch "%S+" do
  by_class[name] = "max"
end

for name in ([[MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError
  MeanSquaredLogarithmicError RootMeanSquaredError LogCoshError Hinge SquaredHinge CategoricalHinge
  KLDivergence Poisson BinaryCrossentropy CategoricalCrossentropy
  SparseCategoricalCrossentropy]]):gmatch "%S+" do
  by_class[name] = "min"
end

local directions = {}

--- The direction of a metric: "max", "min", or nil if unknown. A user's metric declares it in a
-- field `direction`.
-- @tparam Metric metric
function directions.of_metric(metric)
  local own = metric.direction
  if own == "max" or own == "min" then return own end
  local found = names.by_class(metric, by_class)
  if found then return found end
  local f = rawget(metric, "fn")
  if f and (losses.is_loss(f) or losses.Loss.class_of_function[f]) then return "min" end
end

--- The direction of a value that a model reports, by its name.
-- @tparam Model model
-- @tparam string name with or without `val_`
-- @treturn ?string
function directions.of_value(model, name)
  name = name:gsub("^val_", "")
  if name == "loss" or name:find "_loss$" then return "min" end
  local metrics = model.list_metrics and model:list_metrics() or {}
  for i, reported in ipairs(model.metric_result_names and model:metric_result_names() or {}) do
    if reported == name then return directions.of_metric(metrics[i]) end
  end
end

return directions
