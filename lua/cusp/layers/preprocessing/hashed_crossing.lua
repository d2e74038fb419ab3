--- Several features of strings or integers as the bins of their combinations.
-- Input: a list of two or more features of one shape, `[]`, `[batch]` or `[batch, 1]`, each strings
-- (see StringLayer) or integers. Output int64 of that shape, or one-hot vectors. The same bins as
-- with Keras and TensorFlow. Works on data outside of models.
-- @classmod cusp.layers.HashedCrossing
-- @tparam integer num_bins
-- @tparam[opt="int"] string output_mode "int" or "one_hot"
-- @usage layers.HashedCrossing(5){{"A", "B", "A"}, {101, 101, 102}}
local StringLayer = require "cusp.layers.preprocessing.string_layer"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local hash_functions = require "cusp.layers.preprocessing.hash_functions"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"
local structure = require "cusp.base.structure"

-- The key from which TensorFlow starts.
local initial = 0xDECAFCAFFE

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
  if type(value) == "userdata" and not value.dtype:find "int" then
    errors.raise("HashedCrossing: features should be strings or integers, got %s",
      errors.describe(value))
  end
  return StringLayer.leaves("HashedCrossing", value)
end

function HashedCrossing:call(inputs)
  if not structure.is_container(inputs) or #inputs < 2 then
    errors.raise("HashedCrossing: expected a list of two or more features, got %s",
      errors.describe(inputs))
  end
  local hashes, shape = {}, nil
  for _, input in ipairs(inputs) do
    local leaves, own = feature(input)
    shape = shape or own
    check_shape(own, shape)
    for i, leaf in ipairs(leaves) do
      local hash = type(leaf) == "string" and hash_functions.farmhash(leaf) or leaf
      hashes[i] = hash_functions.concatenate(hashes[i] or initial, hash)
    end
  end
  for i, hash in ipairs(hashes) do hashes[i] = hash_functions.bucket(hash, self.num_bins) end
  return categorical.encode(engine.tensor(hashes, {dtype = "int64", shape = shape}),
    self.output_mode, self.num_bins, self.dtype)
end

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
