--- Learning rates that change with the step.
-- @module cusp.optimizers.schedules
local namespace = require "cusp.base.namespace"

return namespace.of_objects(namespace.new("cusp.optimizers.schedules", {
  CosineDecay = "cosine_decay", CosineDecayRestarts = "cosine_decay_restarts",
  ExponentialDecay = "exponential_decay",
  InverseTimeDecay = "inverse_time_decay", LearningRateSchedule = "learning_rate_schedule",
  PiecewiseConstantDecay = "piecewise_constant_decay", PolynomialDecay = "polynomial_decay",
}), {what = "learning rate schedule", module = "keras.optimizers.schedules"})
