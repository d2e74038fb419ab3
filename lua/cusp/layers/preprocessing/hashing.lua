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
local hash_functions = require "cusp.layers.preprocessing.hash_functions"

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

local function text_of(value)
  if type(value) == "string" then return value end
  if type(value) == "boolean" then return value and "true" or "false" end
  return ("%d"):format(value // 1 | 0)
end

--- Decimal places are dropped towards zero, as a conversion to an integer does.
local function whole(value)
  if math.type(value) ~= "float" then return value end
  if value ~= value or value >= 2^63 or value < -2^63 then return math.mininteger end
  return math.tointeger(value < 0 and -(-value // 1) or value // 1)
end

function Hashing:call(inputs)
  local leaves, shape = StringLayer.leaves("Hashing", inputs)
  local mask, bins, key, result = self.mask_value, self.num_bins, self.salt, {}
  if bins == 1 then mask = nil end
  local used = mask ~= nil and bins - 1 or bins
  for i, leaf in ipairs(leaves) do
    if mask ~= nil and leaf == mask then
      result[i] = 0
    else
      local bin = hash_functions.bucket_of(text_of(whole(leaf)), used, key)
      result[i] = mask ~= nil and bin + 1 or bin
    end
  end
  return categorical.encode(engine.tensor(result, {dtype = "int64", shape = shape}),
    self.output_mode, bins, self.dtype)
end

return Hashing
