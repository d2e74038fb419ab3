--- Integers from 0 to `num_tokens - 1` as one-hot, multi-hot or count vectors.
-- Input: integers `[batch, n]`; output `[batch, num_tokens]`, or `[batch, n, num_tokens]` with
-- "one_hot" (where n is 1, `[batch, num_tokens]`). A vector of integers is one sample. Integers out
-- of range count for nothing. With "count", the call takes `count_weights` of the inputs' shape:
-- what each one counts for.
-- @classmod cusp.layers.CategoryEncoding
-- @tparam integer num_tokens
-- @tparam[opt="multi_hot"] string output_mode "one_hot", "multi_hot" or "count"
-- @usage layers.CategoryEncoding{4, output_mode = "one_hot"}{3, 2, 0}
local Layer = require "cusp.layers.machinery.layer"
local categorical = require "cusp.layers.preprocessing.categorical"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local CategoryEncoding = Layer:extend("CategoryEncoding", {
  input_dtype = "int32",
  call_arguments = {"count_weights"},
  config = {
    {"num_tokens", "integer", min = 1},
    categorical.output_mode("multi_hot", "one_hot", "multi_hot", "count"),
    {"sparse", "boolean", default = false, transient = true},
  },
})

function CategoryEncoding:init(args)
  self:configure(args, CategoryEncoding)
  categorical.check_dense(self)
  Layer.init(self, args)
end

function CategoryEncoding:call(inputs, args)
  local weights = args.count_weights
  if weights then
    if self.output_mode ~= "count" then
      errors.raise('count_weights require output_mode "count", got "%s"',
        self.output_mode)
    end
    weights = ops.cast(weights, self.compute_dtype)
  end
  return categorical.encode(inputs, self.output_mode, self.num_tokens, self.dtype, weights)
end

return CategoryEncoding
