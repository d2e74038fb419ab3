--- The share of positive predictions that are correct.
-- @classmod cusp.metrics.Precision
-- @tparam[opt=0.5] number|table thresholds
-- @tparam[opt] integer top_k count the k most likely classes as predicted
-- @tparam[opt] integer class_id consider only this class (from 0)
return require "cusp.metrics.precision_recall" ("Precision", "fp", "false_positives")
