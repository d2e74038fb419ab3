--- An embedding with a reverse mode: `{reverse = true}` maps vectors to scores of the integers.
-- Forward, `[batch, ...]` of integers becomes `[batch, ..., output_dim]`; in reverse, `[batch, ...,
-- output_dim]` becomes `[batch, ..., input_dim]`.
-- @classmod cusp.layers.ReversibleEmbedding
-- @tparam integer input_dim
-- @tparam integer output_dim
-- @tparam[opt=true] boolean tie_weights use the same table in reverse
-- @param[opt="uniform"] embeddings_initializer
-- @param[opt] embeddings_regularizer, embeddings_constraint
-- @tparam[opt=false] boolean mask_zero
-- @tparam[opt] string reverse_dtype dtype of the reverse product
-- @tparam[opt] number logit_soft_cap limits scores to between minus this and this
-- @tparam[opt] integer lora_rank trains a product of this rank beside the table, see `enable_lora`
-- @tparam[opt] number lora_alpha scale of the product times its rank
local Embedding = require "cusp.layers.core.embedding"
local Layer = require "cusp.layers.machinery.layer"
local low_rank = require "cusp.layers.machinery.low_rank"
local masks = require "cusp.base.masks"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local parallel = require "cusp.layers.machinery.parallel"
local quantizable = require "cusp.layers.core.quantizable"

local lora_rank, lora_alpha = low_rank.options(true)

local own = {
  {"input_dim", "integer", min = 1}, {"output_dim", "integer", min = 1},
  options.flag("tie_weights", true),
  options.initializer("embeddings", "uniform"), options.regularizer "embeddings",
  options.constraint "embeddings",
  options.flag("mask_zero", false), {"reverse_dtype", "dtype", optional = true},
  {"logit_soft_cap", "number", above = 0, optional = true},
  {"activity_regularizer", "regularizer", optional = true, keyword_only = true},
  lora_rank, lora_alpha, options.quantization(),
}

local ReversibleEmbedding = Embedding:extend("ReversibleEmbedding", {
  config = own,
  call_arguments = {"reverse"},
  divides = {embeddings = true, reverse_embeddings = true},
  shape_depends_on_arguments = true,
})

function ReversibleEmbedding:init(args)
  self:configure(args, ReversibleEmbedding)
  Layer.init(self, args)
end

function ReversibleEmbedding:build(shape)
  Embedding.build(self, shape)
  if not self.tie_weights and not self.quantization_mode then
    self.reverse_embeddings = self:add_weight{
      name = "reverse_embeddings", shape = {self.output_dim, self.input_dim},
      initializer = self.embeddings_initializer,
    }
  end
end

local function scores_of(self, inputs)
  if self.__own.quantized then
    return require("cusp.layers.core.quantized_table").reverse(self, inputs)
  end
  local tied = self.tie_weights
  if self.reverse_dtype then inputs = ops.cast(inputs, self.reverse_dtype) end
  if self.__own.divided then
    return parallel.product(tied and "...a,ba->...b" or "...a,ab->...b", inputs,
      tied and self.embeddings or self.reverse_embeddings)
  end
  local kernel = tied and ops.transpose(self.embeddings) or self.reverse_embeddings
  if self.reverse_dtype then kernel = ops.cast(kernel, self.reverse_dtype) end
  return ops.matmul(inputs, kernel)
end

local function reverse(self, inputs)
  local scores = scores_of(self, inputs)
  local cap = self.logit_soft_cap
  return cap and ops.multiply(ops.tanh(ops.divide(scores, cap)), cap) or scores
end

function ReversibleEmbedding:call(inputs, args)
  if args.reverse then return reverse(self, inputs) end
  local outputs = Embedding.call(self, inputs)
  masks.set(outputs, Embedding.compute_mask(self, inputs))
  return outputs
end

--- `call` has attached the mask; in reverse there is none.
function ReversibleEmbedding:compute_mask() return nil end

quantizable.add(ReversibleEmbedding, "cusp.layers.core.quantized_table", "embeddings",
  {int8 = true, int4 = true})

return ReversibleEmbedding
