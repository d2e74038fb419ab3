--- What StringLookup and IntegerLookup share: a vocabulary, which is given or learned from data by
-- `adapt`.
--
-- Index 0 is the mask token's, if there is one and the output is "int"; then come `num_oov_indices`
-- indices for tokens that are not in the vocabulary, then the vocabulary.
-- @classmod cusp.layers.IndexLookup
local Layer = require "cusp.layers.machinery.layer"
local StringLayer = require "cusp.layers.preprocessing.string_layer"
local adapting = require "cusp.layers.preprocessing.adapting"
local arguments = require "cusp.base.arguments"
local categorical = require "cusp.layers.preprocessing.categorical"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local structure = require "cusp.base.structure"
local plain = require "cusp.base.plain"
local symbolic = require "cusp.symbolic.tensors"
local whole_file = require "cusp.base.whole_file"

local IndexLookup = StringLayer:extend("IndexLookup", {
  __passing = lists.names("tables", Layer.__passing), -- made of the tokens
})

--- Rows of declared configurations by name; the classes order them as Keras does.
IndexLookup.parameters = {
  max_tokens = {"max_tokens", "integer", min = 2, optional = true},
  num_oov_indices = {"num_oov_indices", "integer", min = 0, default = 1},
  mask_token = {"mask_token", "token", optional = true},
  vocabulary = {"vocabulary", "any", optional = true},
  idf_weights = {"idf_weights", "any", optional = true},
  invert = {"invert", "boolean", default = false},
  output_mode = categorical.output_mode("int", "int", "one_hot", "multi_hot", "count", "tf_idf"),
  pad_to_max_tokens = {"pad_to_max_tokens", "boolean", default = false},
  sparse = categorical.sparse,
  salt = {"salt", "salt", optional = true},
  oov_method = {"oov_method", "choice", choices = {"floormod", "farmhash"}, default = "floormod"},
  vocabulary_size = {"vocabulary_size", "integer", optional = true, transient = true,
    keyword_only = true},
  has_input_vocabulary = {"has_input_vocabulary", "boolean", optional = true, transient = true,
    keyword_only = true},
}

local function name_of(self) return getmetatable(self).__name end

---------------------------------------------------------------- making

local function check(self, vocabulary, idf_weights)
  local name = name_of(self)
  categorical.check_dense(self)
  if self.pad_to_max_tokens and not self.max_tokens then
    errors.raise("%s: pad_to_max_tokens needs max_tokens", name)
  end
  if self.invert and self.output_mode ~= "int" then
    errors.raise('%s: with invert the output_mode should be "int", got "%s"', name,
      self.output_mode)
  end
  if idf_weights ~= nil and self.output_mode ~= "tf_idf" then
    errors.raise('%s: idf_weights require output_mode "tf_idf", got "%s"', name,
      self.output_mode)
  end
  if vocabulary ~= nil and idf_weights == nil and self.output_mode == "tf_idf" then
    errors.raise('%s: with output_mode "tf_idf", a vocabulary requires idf_weights', name)
  end
end

--- Reads the arguments; the vocabulary stays out of the tracked fields, which are gone through
-- often.
function IndexLookup:init(args)
  local class = getmetatable(self)
  self:configure(args, class)
  local vocabulary, idf_weights, adaptable = self.vocabulary, self.idf_weights,
    self.has_input_vocabulary == false
  local size = self.vocabulary_size
  for _, key in ipairs{"vocabulary", "idf_weights", "vocabulary_size", "has_input_vocabulary"} do
    self[key] = nil
  end
  check(self, vocabulary, idf_weights)
  StringLayer.init(self, args)
  self:reset_state()
  self.__own.tokens, self.__own.ids = {}, {}
  -- of a configuration whose vocabulary is kept elsewhere
  self.__own.expected_size = type(size) == "number" and size or nil
  if vocabulary ~= nil then
    self:set_vocabulary(vocabulary, idf_weights)
    self.__own.given = type(vocabulary) == "table" and not adaptable
      and {vocabulary, idf_weights} or nil
    self.__own.fixed = not adaptable
  end
end

---------------------------------------------------------------- the vocabulary

--- The index of the first token that is not in the vocabulary.
function IndexLookup:oov_start()
  return self.mask_token ~= nil and self.output_mode == "int" and 1 or 0
end

--- The index of the vocabulary's first token.
function IndexLookup:token_start() return self:oov_start() + self.num_oov_indices end

--- How many indices there are.
function IndexLookup:vocabulary_size() return #self.__own.tokens + self:token_start() end

--- The length of vectors of categories.
function IndexLookup:depth()
  if self.pad_to_max_tokens then return self.max_tokens end
  local expected = #self.__own.tokens == 0 and self.__own.expected_size
  return expected or self:vocabulary_size()
end

local function special_tokens(self)
  local result = {}
  if self:oov_start() == 1 then result[1] = self.mask_token end
  errors.check_items(self.name, "num_oov_indices", self.num_oov_indices)
  for _ = 1, self.num_oov_indices do result[#result + 1] = self.oov_token end
  return result
end

local bind_get = arguments.binder("get_vocabulary",
  {{"include_special_tokens", "boolean", default = true}}, false)

--- The tokens in the order of their indices.
-- @tparam[opt=true] boolean include_special_tokens whether the mask token and those for what is not
-- in the vocabulary come first
-- @treturn {string|integer,...}
function IndexLookup:get_vocabulary(...)
  local result = bind_get(...) and special_tokens(self) or {}
  return table.move(self.__own.tokens, 1, #self.__own.tokens, #result + 1, result)
end

local function use_tokens(self, tokens)
  local ids, start = {}, self:token_start()
  for i, token in ipairs(tokens) do ids[token] = start + i - 1 end
  local own = self.__own
  own.tokens, own.ids, own.tables, own.given = tokens, ids, nil, nil
end

local function begins_with(list, beginning)
  for i, item in ipairs(beginning) do
    if list[i] ~= item then return false end
  end
  return #list >= #beginning
end

local function check_tokens(self, tokens)
  local name, seen = name_of(self), {}
  for i, token in ipairs(tokens) do
    if seen[token] then
      errors.raise("%s: the vocabulary has %s twice, at %d and %d", name, errors.describe(token),
        seen[token], i)
    end
    seen[token] = i
  end
  local specials = {{self.mask_token, "mask"}, {self.invert and self.oov_token or nil, "OOV"}}
  for _, special in pairs(specials) do
    if special[1] ~= nil and seen[special[1]] then
      errors.raise(
        "%s: the vocabulary has the %s token %s at %d; leave special tokens out, or begin with "
        .. "them: %s", name, special[2],
        errors.describe(special[1]), seen[special[1]], errors.describe(special_tokens(self)))
    end
  end
  local size = #tokens + self:token_start()
  if self.max_tokens and size > self.max_tokens then
    errors.raise("%s: the vocabulary has %d tokens with the special ones, but max_tokens is %d",
      name, size, self.max_tokens)
  end
end

-- The tokens without the special ones, where they begin with those.
local function without_special(self, tokens)
  local special, start = special_tokens(self), self:token_start()
  if #special ~= start or not begins_with(tokens, special) then return tokens end
  return table.move(tokens, start + 1, #tokens, 1, {})
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  while lines[#lines] == "" do lines[#lines] = nil end
  return lines
end

local function read_lines(path)
  local reader <close> = engine.files.open(path)
  return lines_of(reader:read(0, reader.size))
end

--- Weights for all indices: the special tokens get the mean, what `pad_to_max_tokens` adds gets 0.
local function use_weights(self, weights, missing)
  local total, result = 0, {}
  for _, weight in ipairs(weights) do total = total + weight end
  for i = 1, missing do result[i] = #weights > 0 and total / #weights or 0 end
  table.move(weights, 1, #weights, missing + 1, result)
  for i = #result + 1, self.pad_to_max_tokens and self.max_tokens or 0 do result[i] = 0 end
  -- as precise as they are in files
  self.__own.idf = engine.tensor(result, {dtype = engine.get_floatx()}):flat()
end

local function check_weights(self, weights, vocabulary)
  local name = name_of(self)
  if self.output_mode ~= "tf_idf" then
    if weights == nil then return nil end
    errors.raise('%s: idf_weights require output_mode "tf_idf", got "%s"', name,
      self.output_mode)
  end
  if weights == nil then
    errors.raise('%s: with output_mode "tf_idf", a vocabulary requires idf_weights', name)
  end
  local tensor = engine.tensor(weights, {dtype = "float32"})
  if #tensor.shape ~= 1 or tensor.shape[1] ~= #vocabulary then
    errors.raise("%s: idf_weights should have the shape [%d], as many as the vocabulary, got %s",
      name, #vocabulary,
      errors.shape(tensor.shape))
  end
  return tensor:flat()
end

local bind_set = arguments.binder("set_vocabulary",
  {{"vocabulary", "any"}, {"idf_weights", "any", optional = true}}, true)

--- Sets the vocabulary.
-- @param vocabulary a list of tokens, with or without the special ones at its beginning; a vector;
-- or the path of a file with one a line
-- @param[opt] idf_weights of output_mode "tf_idf": a weight for each token
-- @raise if a token comes twice, or there are too many
function IndexLookup:set_vocabulary(...)
  local vocabulary, weights = bind_set(...)
  if type(vocabulary) == "string" then vocabulary = self:tokens_of_lines(read_lines(vocabulary)) end
  if type(vocabulary) ~= "table" and type(vocabulary) ~= "userdata" then
    errors.raise("%s: the vocabulary should be a list of tokens or the path of a file, got %s",
      name_of(self), errors.describe(vocabulary))
  end
  vocabulary = self:tokens_of(vocabulary)
  if #vocabulary == 0 then errors.raise("%s: the vocabulary is empty", name_of(self)) end
  weights = check_weights(self, weights, vocabulary)
  local tokens = without_special(self, vocabulary)
  check_tokens(self, tokens)
  use_tokens(self, tokens)
  if weights then use_weights(self, weights, self:token_start() - (#vocabulary - #tokens)) end
end

local function check_weight_count(self)
  local weights, tokens = self.__own.idf, self.__own.tokens
  if weights and #tokens > 0 and #weights ~= self:depth() then
    errors.raise("%s (%s): expected %d idf_weights, as many as there are indices, got %d",
      self.name, name_of(self), self:depth(), #weights)
  end
end

--- Takes a learned vocabulary from the text of a file, one token a line; one that the layer has
-- already stays. Weights of "tf_idf" are in the file of weights.
function IndexLookup:load_vocabulary(text)
  local tokens = self:tokens_of_lines(lines_of(text))
  if self.__own.fixed or #self.__own.tokens > 0 or #tokens == 0 then return end
  tokens = without_special(self, tokens)
  check_tokens(self, tokens)
  use_tokens(self, tokens)
  check_weight_count(self)
end

--- Whether the configuration that the layer was made of tells of a vocabulary that it has not got.
function IndexLookup:lacks_vocabulary()
  return #self.__own.tokens == 0 and (self.__own.expected_size or 0) > self:token_start()
end

--- Whether a file of weights holds something of this layer.
function IndexLookup:keeps_own_variables() return self.output_mode == "tf_idf" end

--- Puts the weights of "tf_idf" into a file.
-- @tparam table store
function IndexLookup:save_own_variables(store) store.idf_weights = self:idf_tensor() end

--- Takes the weights of "tf_idf" from a file.
-- @tparam table store
function IndexLookup:load_own_variables(store)
  local weights = store.idf_weights
  if not weights then errors.raise("expected 'idf_weights'") end
  self.__own.idf = weights:flat()
  check_weight_count(self)
end

--- Writes a learned vocabulary into a folder, as `vocabulary.txt`; one that the layer was made with
-- is in its configuration.
-- @tparam string dir_path
function IndexLookup:save_assets(dir_path)
  if self.__own.fixed then return end
  whole_file.write(dir_path .. "/vocabulary.txt", table.concat(self:get_vocabulary(), "\n"))
end

--- Takes a learned vocabulary from a folder.
-- @tparam string dir_path
function IndexLookup:load_assets(dir_path)
  local lines = read_lines(dir_path .. "/vocabulary.txt")
  self:load_vocabulary(table.concat(lines, "\n"))
end

---------------------------------------------------------------- adapting

--- Forgets what was counted.
function IndexLookup:reset_state()
  local own = self.__own
  own.counts, own.document_counts, own.documents = {}, {}, 0
end

local function count_documents(self, rows)
  local counts = self.__own.document_counts
  for _, row in ipairs(rows) do
    local seen = {}
    for _, token in ipairs(row) do
      if not seen[token] then
        seen[token] = true
        counts[token] = (counts[token] or 0) + 1
      end
    end
  end
  self.__own.documents = self.__own.documents + #rows
end

--- Counts the tokens of documents, each a list.
function IndexLookup:count_rows(rows)
  if self.__own.fixed then
    errors.raise("%s (%s): was made with a vocabulary, and cannot be adapted", self.name,
      name_of(self))
  end
  local counts = self.__own.counts
  for _, row in ipairs(rows) do
    for _, token in ipairs(row) do counts[token] = (counts[token] or 0) + 1 end
  end
  if self.output_mode == "tf_idf" then count_documents(self, rows) end
end

--- Counts the tokens of a batch: each entry along the first axis is a document; a list of tokens is
-- one.
function IndexLookup:update_state(batch)
  local leaves, shape = self:tokens_of(batch)
  self:count_rows(#shape <= 1 and {leaves} or StringLayer.rows(leaves, shape))
end

local function by_count(counts)
  local tokens = {}
  for token in pairs(counts) do tokens[#tokens + 1] = token end
  plain.sort(tokens, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a > b
  end)
  return tokens
end

--- Makes the vocabulary of what was counted: the most frequent tokens first.
function IndexLookup:finalize_state()
  local counts = self.__own.counts
  if self.__own.fixed or next(counts) == nil then return end
  for _, special in pairs{self.mask_token, self.oov_token} do counts[special] = nil end
  local tokens = by_count(counts)
  if self.max_tokens then
    for i = #tokens, math.max(self.max_tokens - self:token_start(), 0) + 1, -1 do
      tokens[i] = nil
    end
  end
  use_tokens(self, tokens)
  if self.output_mode == "tf_idf" then
    local weights = {}
    for i, token in ipairs(tokens) do
      weights[i] = math.log(1 + self.__own.documents / (1 + self.__own.document_counts[token]))
    end
    use_weights(self, weights, self:token_start())
  end
  self:reset_state()
end

local bind_adapt = adapting.binder(nil, "data steps batch_size")

--- Learns the vocabulary from data: the most frequent tokens, of equally frequent ones the last in
-- the order of bytes first.
-- @param data a list (or nested lists) of tokens, a dataset (of tuples the first part counts), or
-- a function that gives a batch a call and nil at the end
-- @tparam[opt] integer steps look at so many batches only
-- @tparam[opt] integer batch_size puts the elements of a dataset into batches
-- @raise for a layer that was made with a vocabulary
function IndexLookup:adapt(...)
  local data, batch_size, steps = bind_adapt(...)
  self:reset_state()
  local is_data = type(data) == "userdata" or structure.is_container(data)
  adapting.each(name_of(self), data, batch_size, steps, function(batch)
    local leaves, shape = self:tokens_of(batch)
    if is_data then self:count_rows(StringLayer.rows(leaves, shape))
    else self:count_rows(#shape <= 1 and {leaves} or StringLayer.rows(leaves, shape)) end
  end)
  self:finalize_state()
end

---------------------------------------------------------------- encoding

--- The weights of all indices as a tensor.
function IndexLookup:idf_tensor()
  if not self.__own.idf then
    if symbolic.standing() then return engine.ops.ones({self:depth()}, engine.get_floatx()) end
    errors.raise(
      '%s (%s): output_mode "tf_idf" needs weights: call adapt, or set_vocabulary with idf_weights',
      self.name, name_of(self))
  end
  return engine.tensor(self.__own.idf, {dtype = engine.get_floatx()})
end

--- The vocabulary of strings as a table for look-ups, and as a tensor.
-- @treturn table `slots` and `indices` of the row lookup_table, and `tokens`
function IndexLookup:lookup_table()
  if not self.__own.tables then
    self.__own.tables = engine.untraced(function()
      local tokens = self.__own.tokens
      local tensor = engine.tensor(tokens, {dtype = "string", shape = {#tokens}})
      local slots, indices = engine.ops.lookup_table(tensor)
      engine.evaluate{slots, indices}
      return {slots = slots, indices = indices, tokens = tensor}
    end)
  end
  return self.__own.tables
end

--- Raises unless the length of vectors of categories is known.
function IndexLookup:check_vocabulary()
  if symbolic.standing() and self.__own.expected_size then return end
  if self.output_mode ~= "int" and not self.pad_to_max_tokens and #self.__own.tokens == 0 then
    errors.raise(
      '%s (%s): has no vocabulary yet, which output_mode "%s" needs: call adapt, or make it with '
      .. 'one', self.name, name_of(self),
      self.output_mode)
  end
end

--- Raises for tokens that have no index.
function IndexLookup:refuse_unknown(tokens)
  errors.raise("%s (%s): with num_oov_indices = 0 all inputs should be in the vocabulary; found %s",
    self.name, name_of(self),
    errors.describe(tokens))
end

---------------------------------------------------------------- configuration

local function vocabulary_state(self)
  local given = self.__own.given
  if given then return given[1], given[2] end
  if #self.__own.tokens == 0 then return nil end
  local complete = #special_tokens(self) == self:token_start()
  local vocabulary, weights = self:get_vocabulary(complete), self.__own.idf
  if not weights then return vocabulary end
  local start = complete and 0 or self:token_start()
  return vocabulary, table.move(weights, start + 1, start + #vocabulary, 1, {})
end

local function plain_value(value)
  if type(value) == "userdata" then return value:tolist() end
  return value == nil and null or value
end

--- Sets the keys of vocabulary and weights. One that was learned is in the configuration, too, and
-- marked as such.
function IndexLookup:add_vocabulary(config)
  local vocabulary, weights = vocabulary_state(self)
  ordered.set(config, "vocabulary", plain_value(vocabulary))
  ordered.set(config, "idf_weights", plain_value(weights))
  ordered.set(config, "vocabulary_size", #self.__own.tokens > 0 and self:vocabulary_size() or null)
  if vocabulary and not self.__own.fixed then ordered.set(config, "has_input_vocabulary", false) end
end

function IndexLookup:get_config()
  local class = getmetatable(self)
  local config = Layer.get_config(self)
  for _, parameter in ipairs(class.config) do
    if not parameter.transient then
      ordered.set(config, parameter[1], kinds.to_config(parameter, rawget(self, parameter[1])))
    end
  end
  self:add_vocabulary(config)
  return config
end

--- A layer from its configuration, which may not make it read a file.
function IndexLookup.from_config(class, config)
  if type(config.vocabulary) == "string" then
    errors.raise(
      "%s: the configuration names a file (%s) as the vocabulary; files are not read for a "
      .. "configuration: set it to the list "
      .. "of its lines", class.__name, config.vocabulary)
  end
  return Layer.from_config(class, config)
end

return IndexLookup
