--- The best specificity at a threshold where sensitivity is at least the given value.
-- @classmod cusp.metrics.SpecificityAtSensitivity
-- @tparam number sensitivity between 0 and 1
-- @tparam[opt=200] integer num_thresholds
-- @tparam[opt] integer class_id consider only this class (from 0)
return require("cusp.metrics.threshold_curve").define{
  class = "SpecificityAtSensitivity", value = "sensitivity", constrained = "sensitivities",
  maximised = "specificities",
}
