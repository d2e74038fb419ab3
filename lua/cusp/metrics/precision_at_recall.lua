--- The best precision at a threshold where recall is at least the given value.
-- @classmod cusp.metrics.PrecisionAtRecall
-- @tparam number recall between 0 and 1
-- @tparam[opt=200] integer num_thresholds
-- @tparam[opt] integer class_id consider only this class (from 0)
return require("cusp.metrics.threshold_curve").define{
  class = "PrecisionAtRecall", value = "recall", constrained = "sensitivities",
  maximised = "precisions",
}
