--- Strings or integers as the integers of a fixed number of bins, by a hash function; the same bins
-- as with Keras and TensorFlow. Input: strings, lists of strings (see StringLayer), or a tensor;
-- integers are hashed as their decimal text. Output int64 of the input's shape, or as `output_mode`
-- says: see CategoryEncoding. Works on data outside of models.
-- @classmod cusp.layers.Hashing
-- @tparam integer num_bins
-- @tparam[opt] string|integer mask_value what goes to bin 0, which is then for it alone
-- @tparam[opt] integer|{integer,integer} salt a key: SipHash instead of FarmHash
-- @tparam[opt="int"] string output_mode "int", "one_hot", "multi_hot" or "count"
-- @usage layers.Hashing(3){{"A"}, {"B"}, {"C"}}
local StringLayer = require "cusp.layers.preprocessing.string_layer"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local Hashing = StringLayer:extend("Hashing", {
  config = {
    {"num_bins", "integer", min = 1}, {"mask_value", "token", optional = true},
    {"salt", "salt", optional = true},
    categorical.output_mode("int", "int", "one_hot", "multi_hot", "count"), categorical.sparse,
  },
})

function Hashing:init(args)
  self:configure(args, Hashing)
  categorical.check_dense(self)
  local dtype = args.dtype
  if dtype == nil and self.output_mode == "int" then dtype = "int64" end
  StringLayer.init(self, args, dtype)
  if self.output_mode == "int" and self.dtype ~= "int32" and self.dtype ~= "int64" then
    errors.raise('Hashing: with output_mode "int" the dtype should be "int32" or "int64", got "%s"',
      self.dtype)
  end
end

--- Decimal places are dropped towards zero, as a conversion to an integer does.
function Hashing:call(inputs)
  local is_text, mask, bins = inputs.dtype == "string", self.mask_value, self.num_bins
  local x = inputs
  if inputs.dtype == "bool" then x = ops.where(inputs, "true", "false")
  elseif not is_text then x = ops.cast(inputs, "int64") end
  local is_masked = mask ~= nil and bins > 1
  local result = engine.ops.hash_strings(x, is_masked and bins - 1 or bins, self.salt)
  if is_masked then
    result = ops.add(result, 1)
    if (type(mask) == "string") == is_text then
      result = ops.where(ops.equal(inputs, mask), ops.zeros_like(result), result)
    end
  end
  return categorical.encode(result, self.output_mode, bins, self.dtype)
end

function Hashing:output_dtype() return self.dtype end

return Hashing
