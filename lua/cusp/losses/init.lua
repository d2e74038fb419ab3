--- Losses, which training minimises. Classes (`losses.MeanSquaredError()`) return one number per
-- batch; functions (`losses.mean_squared_error(y_true, y_pred)`, `losses.mse`) one per sample.
-- @module cusp.losses
local Object = require "cusp.base.class"
local namespace = require "cusp.base.namespace"

local members = {
  BinaryCrossentropy = "binary_crossentropy", BinaryFocalCrossentropy = "binary_focal_crossentropy",
  CategoricalCrossentropy = "categorical_crossentropy",
  CategoricalFocalCrossentropy = "categorical_focal_crossentropy",
  CategoricalGeneralizedCrossEntropy = "categorical_generalized_cross_entropy",
  CategoricalHinge = "categorical_hinge",
  Circle = "circle", CosineSimilarity = "cosine_similarity", CTC = "ctc", Dice = "dice",
  Hinge = "hinge", Huber = "huber",
  KLDivergence = "kl_divergence", LogCosh = "log_cosh", Loss = "loss",
  LossFunctionWrapper = "loss_function_wrapper",
    MeanAbsoluteError = "mean_absolute_error",
  MeanAbsolutePercentageError = "mean_absolute_percentage_error",
  MeanSquaredError = "mean_squared_error",
  MeanSquaredLogarithmicError = "mean_squared_logarithmic_error", Poisson = "poisson",
  SparseCategoricalCrossentropy = "sparse_categorical_crossentropy", SquaredHinge = "squared_hinge",
  Tversky = "tversky",
}

-- Functions by name, and the files of their classes.
local functions = {
  binary_crossentropy = "binary_crossentropy",
  binary_focal_crossentropy = "binary_focal_crossentropy",
  categorical_crossentropy = "categorical_crossentropy",
  categorical_focal_crossentropy = "categorical_focal_crossentropy",
  categorical_generalized_cross_entropy = "categorical_generalized_cross_entropy",
  categorical_hinge = "categorical_hinge",
  circle = "circle", cosine_similarity = "cosine_similarity", ctc = "ctc", dice = "dice",
  hinge = "hinge", huber = "huber",
  kl_divergence = "kl_divergence", log_cosh = "log_cosh",
  mean_absolute_error = "mean_absolute_error",
  mean_absolute_percentage_error = "mean_absolute_percentage_error",
  mean_squared_error = "mean_squared_error",
  mean_squared_logarithmic_error = "mean_squared_logarithmic_error", poisson = "poisson",
  sparse_categorical_crossentropy = "sparse_categorical_crossentropy",
  squared_hinge = "squared_hinge", tversky = "tversky",
  mse = "mean_squared_error", MSE = "mean_squared_error", mae = "mean_absolute_error",
  MAE = "mean_absolute_error",
  mape = "mean_absolute_percentage_error", MAPE = "mean_absolute_percentage_error",
  msle = "mean_squared_logarithmic_error",
  MSLE = "mean_squared_logarithmic_error", bce = "binary_crossentropy", BCE = "binary_crossentropy",
  kld = "kl_divergence",
  KLD = "kl_divergence", kullback_leibler_divergence = "kl_divergence", logcosh = "log_cosh",
}
for name, file in pairs(functions) do members[name] = {file, "fn"} end

local losses = namespace.of_objects(namespace.new("cusp.losses", members),
  {what = "loss", module = "keras.losses"})
local get = losses.get

--- Looks up a loss by name ("mse", "MeanSquaredError"), serialised form, instance, or function.
-- @raise for an unknown name, with the nearest one
function losses.get(identifier)
  if type(identifier) == "string" then
    local found = losses[identifier]
    if type(found) == "function" and members[identifier] then return found end
  end
  return get(identifier)
end

--- An instance of the library class that computes the same as a function of this module; nil for
-- other functions.
-- @tparam function f
-- @tparam[opt] string name
function losses.of_function(f, name)
  local class = losses.Loss.class_of_function[f]
  return class and class{name = name} or nil
end

--- Whether a value is an instance of Loss.
function losses.is_loss(value) return Object.is_instance(value, losses.Loss) end

return losses
