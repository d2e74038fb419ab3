--- Strings as the integers of their places in a vocabulary.
-- Input: a tensor of strings, or Lua strings (see StringLayer); output int64 of its shape, or as
-- `output_mode` says: vectors of categories, of floatx (see CategoryEncoding; "tf_idf" are counts
-- times weights). With `invert`, integers become strings. May be part of a model.
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
local calling = require "cusp.layers.machinery.calling"
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
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

---------------------------------------------------------------- calls

--- Lua's strings and lists of them become tensors; with `invert`, integers do.
function StringLookup:prepare_inputs(inputs)
  local tensor = StringLayer.tensor_of(self.name, inputs, self.invert and "int64" or "string")
  if (tensor.dtype == "string") == self.invert then
    errors.raise("%s (StringLookup): %sexpected %s, got %s%s", self.name,
      self.invert and "with invert, " or "", self.invert and "integers" or "strings",
      errors.describe(inputs), self.invert and "" or "; IntegerLookup takes integers")
  end
  return tensor
end

--- Calls the layer. With `invert`, called on data and not by a model, it gives Lua's strings.
function StringLookup:__call(...)
  local is_within = context.get().called
  local result = calling.call(self, ...)
  local is_data = self.invert and engine.is_tensor(result) and not is_within
    and not engine.tracing()
  return is_data and result:tolist() or result
end

function StringLookup:output_dtype()
  if self.invert then return "string" end
  return self.output_mode == "int" and "int64" or engine.get_floatx()
end

--- The places of strings in the vocabulary, those of others as they are given.
local function find(self, x, unknown, empty)
  local table_of = self:lookup_table()
  return engine.ops.lookup(x, table_of.slots, table_of.indices, self:token_start(), unknown, empty)
end

local refused = math.mininteger -- what the row refuses to give

local function unknown_indices(self, x)
  local count = self.num_oov_indices
  if count == 0 then return engine.tracing() and refused or -2 end
  return count == 1 and self:oov_start() or -2
end

local function hashed(self, x, found)
  local bins = engine.ops.hash_strings(x, self.num_oov_indices, self.salt)
  return ops.where(ops.equal(found, -2), ops.add(bins, self:oov_start()), found)
end

local function check_known(self, x, found)
  local texts, unknown = x:flat(), {}
  for i, index in ipairs(found:flat()) do
    if index == -2 then unknown[#unknown + 1] = texts[i] end
  end
  if #unknown > 0 then self:refuse_unknown(unknown) end
end

--- The index of one token that is asked for before the vocabulary is: -1 for the mask token where
-- it counts for nothing.
local function special_index(self, token)
  if token == self.mask_token then return self.output_mode == "int" and 0 or -1 end
  return self.__own.ids[token]
end

--- The indices of a tensor of strings; -1 for the mask token where it counts for nothing.
function StringLookup:indices(x)
  local unknown, mask = unknown_indices(self, x), self.mask_token
  local found = find(self, x, unknown, special_index(self, "") or unknown)
  if self.num_oov_indices > 1 then found = hashed(self, x, found) end
  if mask ~= nil and mask ~= "" then
    local index = special_index(self, mask)
    found = ops.where(ops.equal(x, mask), ops.full_like(found, index), found)
  end
  if unknown == -2 and self.num_oov_indices == 0 then check_known(self, x, found) end
  return found
end

local function look_back(self, indices)
  local start, tokens = self:token_start(), self:lookup_table().tokens
  local place, count = ops.subtract(ops.cast(indices, "int64"), start), tokens.shape[1]
  local is_known = ops.logical_and(ops.greater_equal(place, 0), ops.less(place, count))
  if self.oov_token == nil and not engine.tracing() then
    for i, known in ipairs(is_known:flat()) do
      local index = indices:flat()[i]
      if not known and not (index == 0 and self.mask_token ~= nil) then
        self:refuse_unknown{index}
      end
    end
  end
  local result = ops.zeros(indices.shape, "string")
  if self.oov_token then result = ops.where(is_known, result, self.oov_token) end
  if count > 0 then
    result = ops.where(is_known, ops.take(tokens, ops.clip(place, 0, count - 1)), result)
  end
  if self.mask_token ~= nil then
    result = ops.where(ops.equal(indices, 0), self.mask_token, result)
  end
  return result
end

--- Vectors of categories for indices.
function StringLookup:encode(indices)
  local mode = self.output_mode
  local result = categorical.encode(indices, mode == "tf_idf" and "count" or mode, self:depth(),
    self:output_dtype())
  return mode == "tf_idf" and ops.multiply(result, self:idf_tensor()) or result
end

function StringLookup:call(inputs)
  if self.invert then return look_back(self, inputs) end
  self:check_vocabulary()
  return self:encode(self:indices(inputs))
end

return StringLookup
