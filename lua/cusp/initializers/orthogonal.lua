--- A random orthogonal matrix times `gain`; for more than two axes, all but the last are joined as
-- rows. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
-- networks" (2014). The matrix is the orthogonal factor of the polar decomposition of a normal
-- sample. Like the sign-corrected Q of a QR decomposition, it is uniformly distributed over the
-- orthogonal matrices. The Newton-Schulz iteration `X <- X (3 - X'X) / 2` computes it with matrix
-- products only.
-- @classmod cusp.initializers.Orthogonal
local base = require "cusp.initializers.random"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

-- A singular value grows by half in each step until it nears 1. The smallest of a square sample is
-- rarely below 1e-4 / n of the largest; the steps below raise 1e-8 of the norm to 1.
local steps = math.ceil(math.log(1e8) / math.log(1.5)) + 6

local function orthogonalise(matrix, rows, columns)
  local wide = rows <= columns
  matrix = matrix / ops.sqrt(ops.sum(matrix * matrix))
  for _ = 1, steps do
    local transposed = ops.transpose(matrix)
    if wide then
      matrix = matrix * 1.5 - ops.matmul(ops.matmul(matrix, transposed), matrix) * 0.5
    else
      matrix = matrix * 1.5 - ops.matmul(matrix, ops.matmul(transposed, matrix)) * 0.5
    end
  end
  return matrix
end

return base.RandomInitializer:extend("Orthogonal", {
  config = {{"gain", "number", default = 1.0}, base.seed_parameter},
  call = function(self, shape, dtype)
    if #shape < 2 then
      errors.raise("Orthogonal: expected a shape of at least 2 axes, got %s", errors.shape(shape))
    end
    local rows, columns = 1, shape[#shape]
    for i = 1, #shape - 1 do rows = rows * shape[i] end
    if rows * columns == 0 then return ops.zeros(shape, dtype) end
    local sample = random.normal({rows, columns}, 0.0, 1.0,
      dtype == "float64" and dtype or "float32", self:draw_seed())
    return ops.cast(ops.reshape(orthogonalise(sample, rows, columns) * self.gain, shape), dtype)
  end,
})
