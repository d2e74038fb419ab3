--- The number of predictions above the threshold whose target is 0.
-- @classmod cusp.metrics.FalsePositives
-- @tparam[opt=0.5] number|table thresholds
return require "cusp.metrics.condition_count" ("FalsePositives", "fp")
