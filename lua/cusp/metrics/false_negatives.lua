--- The number of predictions below the threshold whose target is 1.
-- @classmod cusp.metrics.FalseNegatives
-- @tparam[opt=0.5] number|table thresholds
return require "cusp.metrics.condition_count" ("FalseNegatives", "fn")
