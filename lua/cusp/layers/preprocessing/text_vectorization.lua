--- Texts as integers of their words, or as vectors of counts.
-- Input: strings `[]`, `[batch]` or `[batch, 1]`, a tensor or lists (see StringLayer). Each is
-- standardized, split into tokens, and the tokens looked up as StringLookup does, with 0 for
-- padding and 1 for words that are not in the vocabulary. Output int64 `[batch, longest]` (or
-- `output_sequence_length`), filled up with 0; with the other output modes floatx `[batch,
-- vocabulary]`. May be part of a model; where the length depends on the texts, or a step is a
-- function, the model runs eagerly.
-- @classmod cusp.layers.TextVectorization
-- @tparam[opt] integer max_tokens
-- @tparam[opt="lower_and_strip_punctuation"] string|function standardize
-- "lower_and_strip_punctuation", "lower", "strip_punctuation", `cusp.null` for none, or a function
-- of a string that returns one. Only ASCII letters are lowered, as with TensorFlow
-- @tparam[opt="whitespace"] string|function split "whitespace", "character", `cusp.null` for none,
-- or a function of a string that returns a list of tokens
-- @tparam[opt] integer|{integer,...} ngrams also so many words in a row as one token, up to the
-- integer or of the lengths listed
-- @tparam[opt="int"] string output_mode "int", "multi_hot", "count" or "tf_idf"; "one_hot" where
-- all texts have as many tokens
-- @tparam[opt] integer output_sequence_length longer texts are cut
-- @tparam[opt=false] boolean pad_to_max_tokens
-- @tparam[opt] {string,...}|string vocabulary a list or the path of a file; without one, call
-- `adapt`
-- @tparam[opt] {number,...} idf_weights of output_mode "tf_idf"
-- @usage local layer = layers.TextVectorization{output_sequence_length = 4}
-- layer:adapt{"foo bar", "bar baz"}
-- layer{"foo baz qux"}
local Layer = require "cusp.layers.machinery.layer"
local StringLayer = require "cusp.layers.preprocessing.string_layer"
local StringLookup = require "cusp.layers.preprocessing.string_lookup"
local adapting = require "cusp.layers.preprocessing.adapting"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"

local IndexLookup = require "cusp.layers.preprocessing.index_lookup"
local row = IndexLookup.parameters

-- One of the parameter's `choices`, a function, or `false` for none.
kinds.define("text_step", {
  check = function(value, parameter)
    if value == false or type(value) == "function" then return true end
    for _, choice in ipairs(parameter.choices) do
      if choice == value then return true end
    end
    return false
  end,
  expects = function(parameter)
    return 'one of "' .. table.concat(parameter.choices, '", "') .. '", a function, or cusp.null'
  end,
  to_config = function(value)
    if value == false then return null end
    return type(value) == "function" and registry.serialize(value) or value
  end,
  from_config = function(value)
    return type(value) == "table" and registry.deserialize(value) or value
  end,
})

local function text_step(name, ...)
  local choices = {...}
  return {name, "text_step", choices = choices, default = choices[1], optional = true}
end

local TextVectorization = StringLayer:extend("TextVectorization", {
  positional_order = "max_tokens standardize split ngrams output_mode output_sequence_length "
    .. "pad_to_max_tokens vocabulary idf_weights sparse ragged encoding name",
  config = {
    row.max_tokens, text_step("standardize", "lower_and_strip_punctuation", "lower",
      "strip_punctuation"),
    text_step("split", "whitespace", "character"), {"ngrams", "integers", min = 1, optional = true},
    categorical.output_mode("int", "int", "one_hot", "multi_hot", "count", "tf_idf"),
    {"output_sequence_length", "integer", min = 1, optional = true}, row.pad_to_max_tokens,
    row.vocabulary, row.idf_weights, row.sparse,
    {"ragged", "boolean", default = false}, {"encoding", "string", default = "utf-8"},
    row.vocabulary_size, row.has_input_vocabulary,
  },
})

local function check(self)
  categorical.check_dense(self)
  if self.ragged then
    errors.raise("TextVectorization: ragged = true is not supported: there are no ragged "
      .. "tensors; shorter texts are filled up with 0")
  end
  if self.output_sequence_length and self.output_mode ~= "int" then
    errors.raise(
      'TextVectorization: output_sequence_length requires output_mode "int", got '
      .. '"%s"', self.output_mode)
  end
end

function TextVectorization:init(args)
  self:configure(args, TextVectorization)
  local lookup = {
    max_tokens = self.max_tokens, mask_token = "", output_mode = self.output_mode,
    pad_to_max_tokens = self.pad_to_max_tokens,
    encoding = self.encoding, vocabulary = self.vocabulary, idf_weights = self.idf_weights,
    has_input_vocabulary = self.has_input_vocabulary,
    vocabulary_size = rawget(self, "vocabulary_size"),
  }
  for _, key in ipairs{"vocabulary", "idf_weights", "vocabulary_size", "has_input_vocabulary"} do
    self[key] = nil
  end
  check(self)
  StringLayer.init(self, args)
  self._lookup_layer = StringLookup(lookup)
end

--- Writes a learned vocabulary into a folder.
-- @tparam string dir_path
function TextVectorization:save_assets(dir_path) self._lookup_layer:save_assets(dir_path) end

--- Takes a learned vocabulary from a folder.
-- @tparam string dir_path
function TextVectorization:load_assets(dir_path) self._lookup_layer:load_assets(dir_path) end

--- Whether a file of weights holds something of this layer.
function TextVectorization:keeps_own_variables()
  return self._lookup_layer:keeps_own_variables()
end

--- Puts the weights of "tf_idf" into a file.
-- @tparam table store
function TextVectorization:save_own_variables(store)
  self._lookup_layer:save_own_variables(store)
end

--- Takes the weights of "tf_idf" from a file.
-- @tparam table store
function TextVectorization:load_own_variables(store)
  self._lookup_layer:load_own_variables(store)
end

---------------------------------------------------------------- texts to tokens

local function standardize(self, text)
  local how = self.standardize
  if type(how) == "function" then
    local result = how(text)
    if type(result) ~= "string" then
      errors.raise("%s (TextVectorization): standardize should return a string, got %s", self.name,
        errors.describe(result))
    end
    return result
  end
  if how == "lower" or how == "lower_and_strip_punctuation" then text = plain.lower(text) end
  if how == "strip_punctuation" or how == "lower_and_strip_punctuation" then
    text = text:gsub("[!-/:-@%[-`{-~]", "")
  end
  return text
end

local replacement = "\u{FFFD}"

--- The characters of a text in UTF-8; bytes that are none are replaced.
local function characters(text)
  local result, at = {}, 1
  while at <= #text do
    local character = text:match("^" .. utf8.charpattern, at)
    local is_valid = character and utf8.len(character) == 1
    result[#result + 1] = is_valid and character or replacement
    at = at + (is_valid and #character or 1)
  end
  return result
end

local function split(self, text)
  local how, result = self.split, {}
  if how == "whitespace" then
    for word in text:gmatch "[^ \t\n\r\f\v]+" do result[#result + 1] = word end
    return result
  end
  if how == "character" then return characters(text) end
  result = how(text)
  local is_list = structure.is_container(result)
  for i = 1, is_list and #result or 0 do is_list = is_list and type(result[i]) == "string" end
  if not is_list then
    errors.raise("%s (TextVectorization): split should return a list of strings, got %s", self.name,
      errors.describe(result))
  end
  return result
end

local function ngrams(self, tokens)
  local widths, result = self.ngrams, {}
  if not widths then return tokens end
  if type(widths) == "number" then
    local up_to = {}
    for width = 1, math.min(widths, #tokens) do up_to[width] = width end
    widths = up_to
  end
  for _, width in ipairs(widths) do
    for first = 1, #tokens - width + 1 do
      result[#result + 1] = table.concat(tokens, " ", first, first + width - 1)
    end
  end
  return result
end

local function check_shape(self, shape)
  if self.split and (#shape > 2 or #shape == 2 and shape[2] ~= 1) then
    errors.raise(
      "%s (TextVectorization): texts to be split should have the shape [], [batch] or [batch, 1], "
      .. "got %s", self.name,
      errors.shape(shape))
  end
end

--- Lists of tokens, one a text, of Lua strings or a tensor.
local function tokens_of(self, inputs)
  local leaves, shape = StringLayer.leaves(self.name, inputs)
  if #leaves > 0 and type(leaves[1]) ~= "string" then
    errors.raise("%s (TextVectorization): expected strings, got %s", self.name,
      errors.describe(inputs))
  end
  check_shape(self, shape)
  for i, text in ipairs(leaves) do leaves[i] = standardize(self, text) end
  local rows = {}
  if self.split then
    for i, text in ipairs(leaves) do rows[i] = ngrams(self, split(self, text)) end
    return rows
  end
  rows = #shape <= 1 and {leaves} or StringLayer.rows(leaves, shape)
  for i, tokens in ipairs(rows) do rows[i] = ngrams(self, tokens) end
  return rows
end

---------------------------------------------------------------- calls

--- Lua's strings and lists of them become tensors.
function TextVectorization:prepare_inputs(inputs)
  local tensor = StringLayer.tensor_of(self.name, inputs)
  if tensor.dtype ~= "string" then
    errors.raise("%s (TextVectorization): expected strings, got %s", self.name,
      errors.describe(inputs))
  end
  return tensor
end

local function is_custom(self)
  return type(self.standardize) == "function" or type(self.split) == "function"
end

--- Whether what the layer gives for texts can only be known with their values.
-- @treturn boolean
function TextVectorization:runs_eagerly()
  local is_long = self.output_mode == "int" or self.output_mode == "one_hot"
  return is_custom(self) or is_long and self.output_sequence_length == nil
end

local function longest(self, counts)
  local result = 0
  for i, count in ipairs(counts) do
    result = math.max(result, count)
    if self.output_mode == "one_hot" and count ~= counts[1] then
      errors.raise(
        '%s (TextVectorization): with output_mode "one_hot" all texts should have as many tokens, '
        .. 'but the first has %d and text %d has %d', self.name, counts[1], i, count)
    end
  end
  return result
end

local function refuse_trace(self)
  errors.raise(
    "%s (TextVectorization): %s; compile the model with run_eagerly = true%s", self.name,
    is_custom(self) and "a function of Lua's strings cannot be traced"
      or "how long the output is depends on the texts",
    is_custom(self) and "" or ", or set output_sequence_length")
end

--- The tokens' indices `[rows, width]` by the functions of the user's.
local function look_up_lists(self, texts)
  local rows, flat, counts = tokens_of(self, texts), {}, {}
  for i, tokens in ipairs(rows) do counts[i] = #tokens end
  local width = self.output_sequence_length or longest(self, counts)
  errors.check_items(self.name, "the number of tokens of a batch", #rows * width)
  for _, tokens in ipairs(rows) do
    for k = 1, width do flat[#flat + 1] = tokens[k] or "" end
  end
  return self._lookup_layer:indices(engine.tensor(flat,
    {dtype = "string", shape = {#rows, width}}))
end

--- The names of the steps; those that are functions stand for others in a trial on shapes.
local function steps_of(self)
  local standardize_how, split_how = self.standardize or "", self.split or ""
  if type(standardize_how) == "function" then standardize_how = "" end
  if type(split_how) == "function" then split_how = "whitespace" end
  return standardize_how, split_how
end

local function token_counts(self, texts)
  local standardize_how, split_how = steps_of(self)
  return engine.ops.count_tokens(texts, standardize_how, split_how, self.ngrams)
end

local function width_of(self, texts)
  if self.output_sequence_length then return self.output_sequence_length end
  if symbolic.standing() then return symbolic.standing() end
  if engine.tracing() then refuse_trace(self) end
  local width = longest(self, token_counts(self, texts):flat())
  errors.check_items(self.name, "the number of tokens of a batch", #texts * width)
  return width
end

local function vectorize(self, texts, mode, width)
  local lookup = self._lookup_layer
  local table_of, standardize_how, split_how = lookup:lookup_table(), steps_of(self)
  return engine.ops.vectorize_text(texts, table_of.slots, table_of.indices, standardize_how,
    split_how, mode, width, lookup:token_start(), lookup:oov_start(),
    self.output_mode == "int" and 0 or -1, self.ngrams)
end

local function counts(self, texts)
  local lookup, dtype = self._lookup_layer, engine.get_floatx()
  local mode = self.output_mode == "multi_hot" and "multi_hot" or "count"
  local result = ops.cast(vectorize(self, texts, mode, lookup:depth()), dtype)
  return self.output_mode == "tf_idf" and ops.multiply(result, lookup:idf_tensor()) or result
end

--- Texts as a vector, or as a matrix of tokens where they are not split.
local function as_rows(self, texts)
  check_shape(self, texts.shape)
  if not self.split and #texts.shape <= 1 then return ops.reshape(texts, {1, -1}) end
  return self.split and ops.reshape(texts, {-1}) or texts
end

function TextVectorization:call(inputs)
  local lookup, mode = self._lookup_layer, self.output_mode
  lookup:check_vocabulary()
  local texts = as_rows(self, inputs)
  local result
  if is_custom(self) and not symbolic.standing() then
    if engine.tracing() then refuse_trace(self) end
    result = lookup:encode(look_up_lists(self, inputs))
  elseif mode == "int" or mode == "one_hot" then
    result = lookup:encode(vectorize(self, texts, "int", width_of(self, texts)))
  else
    result = counts(self, texts)
  end
  local alone = #inputs.shape == 0 or not self.split and #inputs.shape == 1
  return alone and result[1] or result
end

function TextVectorization:output_dtype() return self._lookup_layer:output_dtype() end

--- Sizes that depend on the texts are unknown.
function TextVectorization:compute_output_shape(shape)
  local rows, mode, length = shape[1], self.output_mode, self.output_sequence_length
  local width = mode == "int" and (length or shapes.None) or self._lookup_layer:depth()
  if mode == "one_hot" then return {rows, shapes.None, width} end
  return {rows, width}
end

---------------------------------------------------------------- the vocabulary

--- The tokens in the order of their indices; see `IndexLookup:get_vocabulary`.
-- @tparam[opt=true] boolean include_special_tokens
-- @treturn {string,...}
function TextVectorization:get_vocabulary(...) return self._lookup_layer:get_vocabulary(...) end

--- How many indices there are.
function TextVectorization:vocabulary_size() return self._lookup_layer:vocabulary_size() end

--- Sets the vocabulary; see `IndexLookup:set_vocabulary`.
-- @param vocabulary a list of tokens, a vector, or the path of a file with one a line
-- @param[opt] idf_weights of output_mode "tf_idf": a weight for each token
function TextVectorization:set_vocabulary(...) return self._lookup_layer:set_vocabulary(...) end

--- Forgets what was counted.
function TextVectorization:reset_state() self._lookup_layer:reset_state() end

--- Counts the tokens of a batch of texts.
function TextVectorization:update_state(batch)
  self._lookup_layer:count_rows(tokens_of(self, batch))
end

--- Makes the vocabulary of what was counted.
function TextVectorization:finalize_state() self._lookup_layer:finalize_state() end

local bind_adapt = adapting.binder("TextVectorization", "data batch_size steps")

--- Learns the vocabulary from texts: the most frequent tokens.
-- @param data a list of texts, a dataset (of tuples the first part counts), or a function that
-- gives a batch a call and nil at the end
-- @tparam[opt] integer batch_size puts the elements of a dataset into batches
-- @tparam[opt] integer steps look at so many batches only
-- @raise for a layer that was made with a vocabulary
-- @usage layer:adapt(cusp.data.TextLineDataset("corpus.txt"):batch(64))
function TextVectorization:adapt(...)
  local data, batch_size, steps = bind_adapt(...)
  self:reset_state()
  local is_list = structure.is_container(data)
  adapting.each("TextVectorization", data, batch_size, steps, function(batch)
    if is_list and not self.split and type(batch[1]) == "string" then
      for i, text in ipairs(batch) do batch[i] = {text} end -- each a document of its own
    end
    self:update_state(batch)
  end)
  self:finalize_state()
end

---------------------------------------------------------------- configuration

function TextVectorization:get_config()
  local config = Layer.get_config(self)
  for _, parameter in ipairs(TextVectorization.config) do
    if not parameter.transient then
      ordered.set(config, parameter[1], kinds.to_config(parameter, rawget(self, parameter[1])))
    end
  end
  self._lookup_layer:add_vocabulary(config)
  return config
end

TextVectorization.from_config = IndexLookup.from_config

return TextVectorization
