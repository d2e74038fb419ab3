--- Penalises rows (or columns) of a matrix that are not orthogonal, by the mean absolute cosine
-- between pairs.
-- @classmod cusp.regularizers.OrthogonalRegularizer
local Regularizer = require "cusp.regularizers.regularizer"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

return Regularizer:extend("OrthogonalRegularizer", {
  config = {
    {"factor", "float32", default = 0.01, min = 0},
    {"mode", "choice", choices = {"rows", "columns"}, default = "rows"},
  },
  call = function(self, x)
    if #x.shape ~= 2 then
      errors.raise("OrthogonalRegularizer: expected a matrix, got shape %s", errors.shape(x.shape))
    end
    local rows = self.mode == "rows" and x or ops.transpose(x)
    local norm = ops.sqrt(ops.maximum(ops.sum(ops.square(rows), 2, true), 1e-12))
    rows = rows / norm
    local size = rows.shape[1]
    local cosines = ops.matmul(rows, ops.transpose(rows)) * (1.0 - ops.eye(size, {dtype = x.dtype}))
    return ops.sum(ops.abs(cosines)) * (self.factor * 0.5 / (size * (size - 1.0) / 2.0))
  end,
})
