--- Functions of losses that have no metric of their own: a value for each sample.
-- @module cusp.metrics.loss_functions
local losses = require "cusp.losses"

return {
  binary_focal_crossentropy = losses.binary_focal_crossentropy,
  categorical_focal_crossentropy = losses.categorical_focal_crossentropy,
  huber = losses.huber,
}
