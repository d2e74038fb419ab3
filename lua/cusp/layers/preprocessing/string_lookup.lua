--- Strings as the integers of their places in a vocabulary.
-- Input: strings or (nested) lists of them (see StringLayer); output int64 of their shape, or as
-- `output_mode` says: vectors of categories, of floatx (see CategoryEncoding; "tf_idf" are counts
-- times weights). With `invert`, integers become strings. Works on data outside of models.
-- @classmod cusp.layers.StringLookup
-- @tparam[opt] integer max_tokens most indices, with those for special tokens
-- @tparam[opt=1] integer num_oov_indices how many indices share the strings that are not in the
-- vocabulary; 0: they are errors
-- @tparam[opt] string mask_token has the index 0; in vectors of categories it counts for nothing
-- @tparam[opt="[UNK]"] string oov_token what `invert` gives for indices without a string
-- @tparam[opt] {string,...}|string vocabulary a list or the path of a file; without one, call
-- `adapt`
-- @tparam[opt] {number,...} idf_weights of output_mode "tf_idf"
-- @tparam[opt=false] boolean invert
-- @tparam[opt="int"] string output_mode "int", "one_hot", "multi_hot", "count" or "tf_idf"
-- @tparam[opt=false] boolean pad_to_max_tokens whether vectors have `max_tokens` entries whatever
-- the vocabulary
-- @tparam[opt] integer|{integer,integer} salt a key for the hash that chooses among several indices
-- @usage layers.StringLookup{vocabulary = {"a", "b"}}{"b", "z"} -- 2, 0
local IndexLookup = require "cusp.layers.preprocessing.index_lookup"
local StringLayer = require "cusp.layers.preprocessing.string_layer"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local hash_functions = require "cusp.layers.preprocessing.hash_functions"
local ops = require "cusp.ops"

local row = IndexLookup.parameters

local StringLookup = IndexLookup:extend("StringLookup", {
  positional_order =
    "max_tokens num_oov_indices mask_token oov_token vocabulary idf_weights invert "
    .. "output_mode pad_to_max_tokens sparse encoding name salt",
  init = IndexLookup.init,
  get_config = IndexLookup.get_config,
  config = {
    row.max_tokens, row.num_oov_indices, row.mask_token,
    {"oov_token", "token", default = "[UNK]", optional = true}, row.vocabulary,
    row.idf_weights, row.invert, row.output_mode, row.pad_to_max_tokens, row.sparse,
    {"encoding", "string", default = "utf-8"}, row.salt,
    {"oov_method", "choice", choices = {"floormod", "farmhash"}, default = "floormod",
      keyword_only = true}, row.vocabulary_size,
    row.has_input_vocabulary,
    {"vocabulary_dtype", "any", optional = true, transient = true, keyword_only = true},
  },
})

--- The strings of nested lists, and their shape.
function StringLookup:tokens_of(value)
  local leaves, shape = StringLayer.leaves(self.name, value)
  if #leaves > 0 and type(leaves[1]) ~= "string" then
    errors.raise("%s (StringLookup): expected strings, got %s; IntegerLookup takes integers",
      self.name, errors.describe(value))
  end
  return leaves, shape
end

function StringLookup:tokens_of_lines(lines) return lines end -- luacheck: no self

--- The indices of a list of strings; -1 for the mask token where it counts for nothing.
function StringLookup:indices(tokens)
  local ids, mask, result, unknown = self.__own.ids, self.mask_token, {}, {}
  local oov_count, oov_start = self.num_oov_indices, self:oov_start()
  local mask_index = self.output_mode == "int" and 0 or -1
  for i, token in ipairs(tokens) do
    local id = ids[token]
    if token == mask then id = mask_index
    elseif not id and oov_count == 1 then id = oov_start
    elseif not id and oov_count
      > 1 then id = oov_start + hash_functions.bucket_of(token, oov_count, self.salt)
    elseif not id then unknown[#unknown + 1] = token end
    result[i] = id or -1
  end
  if #unknown > 0 then self:refuse_unknown(unknown) end
  return result
end

local function look_back(self, inputs)
  local leaves, shape = StringLayer.leaves(self.name, inputs)
  local start, result = self:token_start(), {}
  for i, index in ipairs(leaves) do
    if type(index) ~= "number" then errors.raise(
      "%s (StringLookup): with invert, expected integers, got %s", self.name,
      errors.describe(inputs)) end
    result[i] = self.__own.tokens[index - start + 1] or self.oov_token
    if index == 0 and self.mask_token ~= nil then result[i] = self.mask_token end
    if result[i] == nil then self:refuse_unknown{index} end
  end
  return StringLayer.nested(result, shape)
end

--- Vectors of categories for rows of indices.
function StringLookup:encode_rows(rows)
  local mode, depth = self.output_mode, self:depth()
  local result = categorical.of_rows(rows, mode == "multi_hot" and "multi_hot" or "count", depth,
    engine.get_floatx())
  return mode == "tf_idf" and ops.multiply(result, self:idf_tensor()) or result
end

function StringLookup:call(inputs)
  if self.invert then return look_back(self, inputs) end
  self:check_vocabulary()
  local leaves, shape = self:tokens_of(inputs)
  local indices, mode = self:indices(leaves), self.output_mode
  if mode ~= "int" and mode ~= "one_hot" and #shape <= 2 then
    local result = self:encode_rows(#shape <= 1 and {indices} or StringLayer.rows(indices, shape))
    return #shape <= 1 and ops.squeeze(result, 1) or result
  end
  local tensor = engine.tensor(indices, {dtype = "int64", shape = shape})
  if mode == "int" then return tensor end
  local result = categorical.encode(tensor, mode == "tf_idf" and "count" or mode, self:depth(),
    engine.get_floatx())
  return mode == "tf_idf" and ops.multiply(result, self:idf_tensor()) or result
end

return StringLookup
