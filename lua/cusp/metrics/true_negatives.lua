--- The number of predictions below the threshold whose target is 0.
-- @classmod cusp.metrics.TrueNegatives
-- @tparam[opt=0.5] number|table thresholds
return require "cusp.metrics.condition_count" ("TrueNegatives", "tn")
