--- The best recall at a threshold where precision is at least the given value.
-- @classmod cusp.metrics.RecallAtPrecision
-- @tparam number precision between 0 and 1
-- @tparam[opt=200] integer num_thresholds
-- @tparam[opt] integer class_id consider only this class (from 0)
return require("cusp.metrics.threshold_curve").define{
  class = "RecallAtPrecision", value = "precision", constrained = "precisions",
  maximised = "sensitivities",
}
