--- The input of a model: holds the symbolic tensor that `cusp.Input` returns.
-- @classmod cusp.layers.InputLayer
-- @tparam[opt] table shape without the batch axis; sizes may be `cusp.None`
-- @tparam[opt] integer batch_size
-- @tparam[opt] string dtype by default float32
-- @tparam[opt] table batch_shape the whole shape, instead of `shape` and `batch_size`
local Layer = require "cusp.layers.machinery.layer"
local Node = require "cusp.symbolic.node"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local shapes = require "cusp.base.shape"

local InputLayer = Layer:extend("InputLayer", {
  positional_order = "shape batch_size dtype sparse ragged batch_shape input_tensor optional name",
  reads_input_shape = false,
  first_is_list = true,
  config = {
    {"shape", "shape", optional = true}, {"batch_size", "integer", optional = true, min = 1},
    {"dtype", "dtype", optional = true, strings = true},
    {"sparse", "boolean", default = false}, {"ragged", "boolean", default = false},
    {"batch_shape", "shape", optional = true},
    {"input_tensor", "any", optional = true}, {"optional", "boolean", default = false},
    {"batch_input_shape", "shape", optional = true, keyword_only = true},
    {"input_shape", "shape", optional = true, keyword_only = true},
  },
})

local function whole_shape(self)
  local whole = self.batch_shape or self.batch_input_shape
  if whole then return shapes.copy(whole) end
  local shape = self.shape or rawget(self, "input_shape")
  if not shape then
    errors.raise "Input: needs a shape (without the batch axis) or a batch_shape"
  end
  for i, size in ipairs(shape) do
    if size ~= shapes.None and size < 0 then
      errors.raise("Input: size %d of the shape should not be negative, got %d", i, size)
    end
  end
  return {self.batch_size or shapes.None, table.unpack(shape)}
end

function InputLayer:init(args)
  self:configure(args, InputLayer)
  Layer.init(self, args)
  self.batch_shape = whole_shape(self)
  self.shape = {table.unpack(self.batch_shape, 2)}
  self.dtype = self.dtype or self.__own.policy.variable
  self.built = true
  local symbolic = require "cusp.symbolic.tensors"
  local given = self.input_tensor
  self.input_tensor = nil
  Node.new(self, {n = 0}, nil, given or symbolic.tensor(self.batch_shape, self.dtype, self.name))
end

function InputLayer:call(inputs)
  return inputs
end

function InputLayer:get_config()
  return ordered.object({
    batch_shape = kinds.to_config({"batch_shape", "shape"}, self.batch_shape) or null,
    dtype = self.dtype, sparse = self.sparse, ragged = self.ragged, name = self.name,
    optional = self.optional,
  }, {"batch_shape", "dtype", "sparse", "ragged", "name", "optional"})
end

return InputLayer
