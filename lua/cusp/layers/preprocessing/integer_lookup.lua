--- Integers as the integers of their places in a vocabulary.
-- Input and output: tensors of one shape (the output int64), or vectors of categories of floatx, as
-- `output_mode` says (see CategoryEncoding; "tf_idf" are counts times weights). With `invert`,
-- places become the vocabulary's integers. May be part of a model; there, with `num_oov_indices =
-- 0`, integers that are not in the vocabulary get -1 instead of raising an error.
-- @classmod cusp.layers.IntegerLookup
-- @tparam[opt] integer max_tokens most indices, with those for special tokens
-- @tparam[opt=1] integer num_oov_indices how many indices share the integers that are not in the
-- vocabulary; 0: they are errors
-- @tparam[opt] integer mask_token has the index 0; in vectors of categories it counts for nothing
-- @tparam[opt=-1] integer oov_token what `invert` gives for indices without an integer
-- @tparam[opt] {integer,...}|string vocabulary a list, a vector or the path of a file; without one,
-- call `adapt`
-- @tparam[opt="int64"] string vocabulary_dtype
-- @tparam[opt] {number,...} idf_weights of output_mode "tf_idf"
-- @tparam[opt=false] boolean invert
-- @tparam[opt="int"] string output_mode "int", "one_hot", "multi_hot", "count" or "tf_idf"
-- @tparam[opt=false] boolean pad_to_max_tokens whether vectors have `max_tokens` entries whatever
-- the vocabulary
-- @tparam[opt="floormod"] string oov_method how one of several indices is chosen: "floormod" or
-- "farmhash"
-- @tparam[opt] integer|{integer,integer} salt a key for "farmhash"
-- @usage layers.IntegerLookup{vocabulary = {12, 36}}{{36, 7}} -- 2, 0
local IndexLookup = require "cusp.layers.preprocessing.index_lookup"
local Layer = require "cusp.layers.machinery.layer"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local plain = require "cusp.base.plain"
local structure = require "cusp.base.structure"

local row = IndexLookup.parameters

local IntegerLookup = IndexLookup:extend("IntegerLookup", {
  positional_order = "max_tokens num_oov_indices mask_token oov_token vocabulary vocabulary_dtype "
    .. "idf_weights invert output_mode sparse pad_to_max_tokens oov_method salt name",
  autocast = false,
  input_dtype = "int64",
  get_config = IndexLookup.get_config,
  config = {
    row.max_tokens, row.num_oov_indices, {"mask_token", "integer", optional = true},
    {"oov_token", "integer", default = -1, optional = true}, row.vocabulary,
    {"vocabulary_dtype", "choice", choices = {"int64"}, default = "int64"}, row.idf_weights,
    row.invert, row.output_mode, row.sparse,
    row.pad_to_max_tokens, row.oov_method, row.salt, row.vocabulary_size, row.has_input_vocabulary,
  },
})

function IntegerLookup:init(args)
  IndexLookup.init(self, args)
  if self.salt and self.oov_method ~= "farmhash" then
    errors.raise 'IntegerLookup: salt requires oov_method = "farmhash"'
  end
end

--- The integers of a tensor or nested lists, and their shape.
function IntegerLookup:tokens_of(value)
  local ok, tensor = engine.attempt(engine.tensor, value, {dtype = "int64"})
  if not ok then
    errors.raise("%s (IntegerLookup): expected integers, got %s", self.name, errors.describe(value))
  end
  return tensor:flat(), tensor.shape
end

function IntegerLookup:tokens_of_lines(lines)
  local result = {}
  for i, line in ipairs(lines) do
    result[i] = math.tointeger(tonumber(line))
    if not result[i] then
      errors.raise("%s (IntegerLookup): line %d of the vocabulary is not an integer: %q",
        self.name, i, line)
    end
  end
  return result
end

---------------------------------------------------------------- calls

--- Lua's integers are taken as int64.
function IntegerLookup:prepare_inputs(inputs)
  if type(inputs) == "number" or structure.is_container(inputs) then
    local leaves, shape = self:tokens_of(inputs)
    return engine.tensor(leaves, {dtype = "int64", shape = shape})
  end
  return inputs
end

function IntegerLookup:output_dtype()
  return self.output_mode == "int" and "int64" or engine.get_floatx()
end

--- The vocabulary in ascending order, and the indices beside it, as tensors.
local function tables_of(self)
  if not self.__own.tables then
    local keys, ids = table.move(self.__own.tokens, 1, #self.__own.tokens, 1, {}), {}
    plain.sort(keys)
    for i, key in ipairs(keys) do ids[i] = self.__own.ids[key] end
    local tables = engine.untraced(function()
      return {
        keys = engine.tensor(keys, {dtype = "int64", shape = {#keys}}),
        ids = engine.tensor(ids, {dtype = "int64", shape = {#ids}}),
        tokens = engine.tensor(self.__own.tokens, {dtype = "int64", shape = {#keys}}),
      }
    end)
    self.__own.tables = tables
  end
  return self.__own.tables
end

local function fill_like(x, value) return ops.full_like(x, value, "int64") end

local function farmhash_indices(self, inputs)
  return engine.ops.hash_strings(inputs, self.num_oov_indices, self.salt)
end

local function unknown_indices(self, inputs, is_known)
  local count = self.num_oov_indices
  if count == 1 then return fill_like(inputs, self:oov_start()) end
  if count > 1 then
    local index = self.oov_method == "farmhash" and farmhash_indices(self, inputs)
      or ops.mod(inputs, count)
    return ops.add(index, self:oov_start())
  end
  if not engine.tracing() then
    local unknown, known = {}, is_known:flat()
    for i, value in ipairs(inputs:flat()) do
      if not known[i] then unknown[#unknown + 1] = value end
    end
    if #unknown > 0 then self:refuse_unknown(unknown) end
  end
  return fill_like(inputs, -1)
end

--- `values` at the places where `keys` (ascending) has the inputs, and where it has them.
local function find(keys, values, inputs)
  local place = ops.clip(ops.searchsorted(keys, inputs), 0, keys.shape[1] - 1)
  return ops.take(values, place), ops.equal(ops.take(keys, place), inputs)
end

local function indices_of(self, inputs)
  local found, is_known
  local mask = self.mask_token
  if #self.__own.tokens > 0 then found,
    is_known = find(tables_of(self).keys, tables_of(self).ids, inputs)
  else found, is_known = fill_like(inputs, 0), ops.zeros_like(inputs, "bool") end
  local is_mask = mask ~= nil and ops.equal(inputs, mask)
  found = ops.where(is_known, found,
    unknown_indices(self, inputs, is_mask and ops.logical_or(is_known, is_mask) or is_known))
  if is_mask then
    found = ops.where(is_mask, fill_like(inputs, self.output_mode == "int" and 0 or -1), found)
  end
  return found
end

local function look_back(self, inputs)
  if self.oov_token == nil then errors.raise "invert = true requires an oov_token" end
  local place, count = ops.subtract(inputs, self:token_start()), #self.__own.tokens
  local result = fill_like(inputs, self.oov_token)
  if count > 0 then
    local is_known = ops.logical_and(ops.greater_equal(place, 0), ops.less(place, count))
    result = ops.where(is_known, ops.take(tables_of(self).tokens, ops.clip(place, 0, count - 1)),
      result)
  end
  if self.mask_token ~= nil then
    result = ops.where(ops.equal(inputs, 0), fill_like(inputs, self.mask_token), result)
  end
  return result
end

function IntegerLookup:call(inputs)
  if inputs.dtype ~= "int64" then inputs = ops.cast(inputs, "int64") end
  if self.invert then return look_back(self, inputs) end
  self:check_vocabulary()
  local mode = self.output_mode
  local result = categorical.encode(indices_of(self, inputs), mode == "tf_idf" and "count" or mode,
    self:depth(), self:output_dtype())
  return mode == "tf_idf" and ops.multiply(result, self:idf_tensor()) or result
end

IntegerLookup.get_build_config = Layer.get_build_config

return IntegerLookup
