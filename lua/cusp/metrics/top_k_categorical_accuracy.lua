--- How often the right class of one-hot targets is among the `k` most likely ones.
-- @classmod cusp.metrics.TopKCategoricalAccuracy
-- @tparam[opt=5] integer k
local define = require "cusp.metrics.define"
local ops = require "cusp.ops"
local top_k = require "cusp.metrics.top_k"

return define{
  class = "TopKCategoricalAccuracy", name = "top_k_categorical_accuracy",
  parameters = {top_k.parameter}, order = {"k", "name", "dtype"},
  call = function(y_true, y_pred, k) return top_k.matches(ops.argmax(y_true, -1), y_pred, k) end,
}
