--- The best sensitivity at a threshold where specificity is at least the given value.
-- @classmod cusp.metrics.SensitivityAtSpecificity
-- @tparam number specificity between 0 and 1
-- @tparam[opt=200] integer num_thresholds
-- @tparam[opt] integer class_id consider only this class (from 0)
return require("cusp.metrics.threshold_curve").define{
  class = "SensitivityAtSpecificity", value = "specificity", constrained = "specificities",
  maximised = "sensitivities",
}
