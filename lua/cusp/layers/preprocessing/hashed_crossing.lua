--- Several features of strings or integers as the bins of their combinations.
-- Input: a list of two or more features of one shape, `[]`, `[batch]` or `[batch, 1]`, each strings
-- (see StringLayer) or integers. Output int64 of that shape, or one-hot vectors. The same bins as
-- with Keras and TensorFlow. May be part of a model.
-- @classmod cusp.layers.HashedCrossing
-- @tparam integer num_bins
-- @tparam[opt="int"] string output_mode "int" or "one_hot"
-- @usage layers.HashedCrossing(5){{"A", "B", "A"}, {101, 101, 102}}
local StringLayer = require "cusp.layers.preprocessing.string_layer"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local structure = require "cusp.base.structure"

local HashedCrossing = StringLayer:extend("HashedCrossing", {
  positional_order = "num_bins output_mode sparse name dtype",
  config = {{"num_bins", "integer", min = 1}, categorical.output_mode("int", "int", "one_hot"),
    categorical.sparse},
})

function HashedCrossing:init(args)
  self:configure(args, HashedCrossing)
  categorical.check_dense(self)
  local dtype = args.dtype
  if dtype == nil and self.output_mode == "int" then dtype = "int64" end
  StringLayer.init(self, args, dtype)
end

local function check_shape(shape, first)
  local text = errors.shape(shape)
  if #shape > 2 or #shape == 2 and shape[2] ~= 1 then
    errors.raise("HashedCrossing: features should have the shape [], [batch] or [batch, 1], got %s",
      text)
  end
  if text ~= errors.shape(first) then
    errors.raise("HashedCrossing: features should have one shape, got %s and %s",
      errors.shape(first), text)
  end
end

local function feature(value)
  local tensor = StringLayer.tensor_of("HashedCrossing", value)
  if tensor.dtype ~= "string" and not tensor.dtype:find "int" then
    errors.raise("HashedCrossing: features should be strings or integers, got %s",
      errors.describe(value))
  end
  return tensor
end

--- Each of the features becomes a tensor.
function HashedCrossing:prepare_inputs(inputs) -- luacheck: no self
  if not structure.is_container(inputs) or #inputs < 2 then
    errors.raise("HashedCrossing: expected a list of two or more features, got %s",
      errors.describe(inputs))
  end
  local result = {}
  for i, input in ipairs(inputs) do result[i] = feature(input) end
  return result
end

function HashedCrossing:call(inputs)
  local features = {}
  for i, tensor in ipairs(inputs) do
    check_shape(tensor.shape, inputs[1].shape)
    features[i] = tensor.dtype == "string" and tensor or ops.cast(tensor, "int64")
  end
  return categorical.encode(engine.ops.cross_hashes(features, self.num_bins), self.output_mode,
    self.num_bins, self.dtype)
end

function HashedCrossing:output_dtype() return self.dtype end

function HashedCrossing:get_config()
  local result = ordered.object()
  for i, name in ipairs{"num_bins", "output_mode", "sparse"} do
    ordered.set(result, name, kinds.to_config(HashedCrossing.config[i], self[name]))
  end
  ordered.set(result, "name", self.name)
  ordered.set(result, "dtype", self.dtype)
  return result
end

return HashedCrossing
