--- The number of predictions above the threshold whose target is 1.
-- @classmod cusp.metrics.TruePositives
-- @tparam[opt=0.5] number|table thresholds
return require "cusp.metrics.condition_count" ("TruePositives", "tp")
