--- Maps integers (from 0) to vectors: `[batch, ...]` of integers becomes `[batch, ...,
-- output_dim]`.
-- @classmod cusp.layers.Embedding
-- @tparam integer input_dim the number of different integers
-- @tparam integer output_dim size of the vectors
-- @param[opt="uniform"] embeddings_initializer of the table, `[input_dim, output_dim]`
-- @param[opt] embeddings_regularizer
-- @param[opt] embeddings_constraint
-- @tparam[opt=false] boolean mask_zero whether 0 is padding, which layers after this one leave out
-- @tparam[opt] tensor weights the first table
-- @tparam[opt] integer lora_rank trains a product of this rank beside the table, see `enable_lora`
-- @tparam[opt] number lora_alpha scale of the product times its rank
-- @usage local layer = layers.Embedding{1000, 64, mask_zero = true}
local Layer = require "cusp.layers.machinery.layer"
local engine = require "cusp.engine"
local kinds = require "cusp.base.kinds"
local low_rank = require "cusp.layers.machinery.low_rank"
local options = require "cusp.layers.machinery.options"
local ops = require "cusp.ops"
local parallel = require "cusp.layers.machinery.parallel"
local policy = require "cusp.layers.machinery.policy"
local quantizable = require "cusp.layers.core.quantizable"
local replicas = require "cusp.base.replicas"

local lora_rank, lora_alpha = low_rank.options(true)

local Embedding = Layer:extend("Embedding", {
  positional_order = "input_dim output_dim embeddings_initializer embeddings_regularizer "
    .. "embeddings_constraint mask_zero weights",
  makes_masks = true,
  divides = {embeddings = true},
  autocast = false,
  input_dtype = "int32",
  config = {
    {"input_dim", "integer", min = 1}, {"output_dim", "integer", min = 1},
    options.initializer("embeddings", "uniform"),
    options.regularizer "embeddings", options.constraint "embeddings",
    options.flag("mask_zero", false),
    {"weights", "tensor", optional = true, transient = true, keyword_only = true},
    -- from Keras 2, where it fixed the second axis
    {"input_length", "any", optional = true, transient = true, keyword_only = true},
    {"activity_regularizer", "regularizer", optional = true, keyword_only = true},
    lora_rank, lora_alpha, options.quantization(),
  },
})

function Embedding:init(args)
  self:configure(args, Embedding)
  -- raw: of a layer that was given none, `weights` are its variables
  self.__own.initial = rawget(self, "weights")
  self.weights = nil
  Layer.init(self, args)
end

function Embedding:build()
  local shape = {self.input_dim, self.output_dim}
  self.__own.full_shape = shape
  if self.quantization_mode then
    self:quantized_build(shape, self.quantization_mode, self.quantization_config)
    return low_rank.built(self, "embeddings")
  end
  self.embeddings = options.weight(self, "embeddings", shape)
  local initial = self.__own.initial
  if kinds.is_plain(initial) and #initial == 1 and engine.is_tensor(initial[1]) then
    initial = initial[1]
  end
  if initial then
    self.embeddings:assign(engine.tensor(initial, {dtype = self.embeddings.dtype}))
  end
  replicas.is_row_sparse(self.embeddings)
  low_rank.built(self, "embeddings")
end

function Embedding:call(inputs)
  if policy.is_float(inputs.dtype) or inputs.dtype == "bool" then
    inputs = ops.cast(inputs, "int32")
  end
  if self.__own.quantized then
    return require("cusp.layers.core.quantized_table").look_up(self, inputs)
  end
  local outputs = self.__own.divided and parallel.rows(self.embeddings, inputs)
    or ops.take(self.embeddings, inputs, 1)
  local dtype = self.compute_dtype
  return outputs.dtype == dtype and outputs or ops.cast(outputs, dtype)
end

--- An index that is none of the table's, in the words of the layer.
function Embedding:explain_failure(message)
  local index = message:match "^index (%-?%d+) is out of range"
  return index and ("the input holds %s, but input_dim = %d: indices are 0 to %d"):format(index,
    self.input_dim, self.input_dim - 1)
end

function Embedding.__getters.supports_masking(self) return self.mask_zero end

--- The mask of nonzero inputs, if `mask_zero`.
function Embedding:compute_mask(inputs)
  if not self.mask_zero then return nil end
  return ops.not_equal(inputs, 0)
end

function Embedding:compute_output_shape(input_shape)
  local shape = table.move(input_shape, 1, #input_shape, 1, {})
  shape[#shape + 1] = self.output_dim
  return shape
end

low_rank.add(Embedding, "embeddings")
quantizable.add(Embedding, "cusp.layers.core.quantized_table", "embeddings",
  {int8 = true, int4 = true})

return Embedding
