--- Tables of mixed columns as vectors: each column is prepared by the layer for its kind, columns
-- may be crossed, and all is joined to one vector of a row, or kept by name.
--
-- A kind is a name ("float", "float_rescaled", "float_normalized", "float_discretized",
-- "integer_categorical", "string_categorical", "integer_hashed", "string_hashed"), or what the
-- function of that name gives, which takes settings. Features stand in the order of their names,
-- crosses after them.
-- @classmod cusp.utils.FeatureSpace
-- @tparam table features kinds by name
-- @tparam[opt="concat"] string output_mode "concat", or "dict" for a table by name
-- @tparam[opt] table crosses lists of names, or what `cross` gives
-- @tparam[opt=32] integer crossing_dim bins of crosses
-- @tparam[opt=32] integer hashing_dim bins of hashed features
-- @tparam[opt=32] integer num_discretization_bins
-- @usage local space = cusp.utils.FeatureSpace{
--   features = {age = "float_normalized", city = "string_categorical"},
--   crosses = {{"age", "city"}},
-- }
-- space:adapt{age = {31, 45}, city = {"Rome", "Oslo"}}
-- space{age = 40, city = "Rome"}
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local layers = require "cusp.layers"
local names = require "cusp.base.names"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local parts = require "cusp.utils.feature_parts"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"

local Feature, Cross = parts.Feature, parts.Cross

local FeatureSpace = layers.Layer:extend("FeatureSpace", {
  __module = "keras.utils",
  autocast = false,
  positional_order =
    "features output_mode crosses crossing_dim hashing_dim num_discretization_bins name",
  config = {
    {"features", "any"},
    {"output_mode", "choice", choices = {"concat", "dict"}, default = "concat"},
    {"crosses", "any", optional = true}, {"crossing_dim", "integer", min = 1, default = 32},
    {"hashing_dim", "integer", min = 1, default = 32},
    {"num_discretization_bins", "integer", min = 2, default = 32},
  },
})

---------------------------------------------------------------- kinds of features

local settings = {
  name = {"name", "string", optional = true},
  scale = {"scale", "number", default = 1}, offset = {"offset", "number", default = 0},
  bins = {"num_bins", "integer", min = 1},
  bins_or_nil = {"num_bins", "integer", min = 1, optional = true},
  boundaries = {"bin_boundaries", "any", optional = true},
  mode = {"output_mode", "choice", choices = {"int", "one_hot", "float"}, default = "one_hot"},
  tokens = {"max_tokens", "integer", min = 2, optional = true},
  oov = {"num_oov_indices", "integer", min = 0, default = 1},
}

-- Defines the function of a kind: its parameters, the dtype of its input, and the class of its
-- layer, which gets the other arguments.
local function define(kind, dtype, class, ...)
  local signature = {}
  for i, setting in ipairs{...} do signature[i] = settings[setting] end
  local bind = arguments.named_binder("FeatureSpace." .. kind, signature, false)
  FeatureSpace[kind] = function(...)
    local args = bind(...)
    local mode = args.output_mode or "float"
    args.output_mode = nil
    args.name = (args.name or names.unique(kind)) .. "_preprocessor"
    return Feature{dtype = dtype, preprocessor = class(args), output_mode = mode}
  end
end

define("float", "float32", parts.TFDIdentity, "name")
define("float_rescaled", "float32", layers.Rescaling, "scale", "offset", "name")
define("float_normalized", "float32", layers.Normalization, "name")
define("float_discretized", "float32", layers.Discretization, "bins_or_nil", "boundaries", "mode",
  "name")
define("integer_categorical", "int32", layers.IntegerLookup, "tokens", "oov", "mode", "name")
define("string_categorical", "string", layers.StringLookup, "tokens", "oov", "mode", "name")
define("integer_hashed", "int32", layers.Hashing, "bins", "mode", "name")
define("string_hashed", "string", layers.Hashing, "bins", "mode", "name")

local bind_feature = arguments.binder("FeatureSpace.feature", {
  {"dtype", "dtype", strings = true}, {"preprocessor", "any"}, {"output_mode", "string"},
}, false)

--- A feature that a layer of one's own prepares.
-- @tparam string dtype of the input
-- @tparam Layer preprocessor
-- @tparam string output_mode "float", or "int" or "one_hot" of a layer that gives integers
function FeatureSpace.feature(...)
  local dtype, preprocessor, mode = bind_feature(...)
  return Feature{dtype = dtype, preprocessor = preprocessor, output_mode = mode}
end

local bind_cross = arguments.binder("FeatureSpace.cross", {
  {"feature_names", "list", list_of = "string"}, {"crossing_dim", "integer", min = 1},
  {"output_mode", "choice", choices = {"int", "one_hot"}, default = "one_hot"},
}, false)

--- Features that are hashed together.
-- @tparam {string,...} feature_names
-- @tparam integer crossing_dim how many bins
-- @tparam[opt="one_hot"] string output_mode "one_hot" or "int"
function FeatureSpace.cross(...)
  local feature_names, crossing_dim, mode = bind_cross(...)
  return Cross{feature_names = feature_names, crossing_dim = crossing_dim, output_mode = mode}
end

---------------------------------------------------------------- making

local arguments_of_kinds = {
  float_discretized = function(self) return {num_bins = self.num_discretization_bins} end,
  integer_hashed = function(self) return {num_bins = self.hashing_dim} end,
  string_hashed = function(self) return {num_bins = self.hashing_dim} end,
}

local kind_names = {"float", "float_rescaled", "float_normalized", "float_discretized",
  "integer_categorical", "string_categorical", "integer_hashed", "string_hashed"}
local is_kind = {}
for _, kind in ipairs(kind_names) do is_kind[kind] = true end

local function is_form_of(value, class)
  return kinds.is_plain(value) and value.class_name == class.__name
    and kinds.is_plain(value.config)
end

local function feature_of(self, name, value)
  if Object.is_instance(value, Feature) then return value end
  if is_form_of(value, Feature) then return Feature(value.config) end
  if not is_kind[value] then
    errors.raise('FeatureSpace: the feature \'%s\' should be one of "%s", or what a function such '
      .. "as FeatureSpace.float() gives; got %s%s", name, table.concat(kind_names, '", "'),
      errors.describe(value),
      type(value) == "string" and errors.suggestion(value, kind_names) or "")
  end
  local args = arguments_of_kinds[value] and arguments_of_kinds[value](self) or {}
  args.name = name
  return FeatureSpace[value](args)
end

local function features_of(self, given)
  if not kinds.is_plain(given) or next(given) == nil or #given > 0 then
    errors.raise("FeatureSpace: features should be a table of kinds by name, got %s",
      errors.describe(given))
  end
  local order, result = ordered.keys(given), {}
  for _, name in ipairs(order) do result[name] = feature_of(self, name, given[name]) end
  return ordered.object(result, order)
end

local function cross_of(self, value, features)
  if is_form_of(value, Cross) then value = Cross(value.config) end
  if not Object.is_instance(value, Cross) then
    if not structure.is_container(value) then
      errors.raise("FeatureSpace: a cross should be a list of names of features, or what "
        .. "FeatureSpace.cross gives; got %s", errors.describe(value))
    end
    value = Cross{feature_names = value, crossing_dim = self.crossing_dim}
  end
  for _, name in ipairs(value.feature_names) do
    if not features[name] then
      errors.raise("FeatureSpace: a cross names '%s', which is no feature%s", name,
        errors.suggestion(name, ordered.keys(features)))
    end
  end
  return value
end

-- A table by name of what a function gives for each item of one.
local function map_by_name(items, f)
  local result = ordered.object({}, ordered.keys(items))
  for _, name in ipairs(ordered.keys(items)) do result[name] = f(items[name], name) end
  return result
end

local function crosses_by_name(self, given, features)
  local result, order = {}, {}
  for i, value in ipairs(given or {}) do
    local cross = cross_of(self, value, features)
    result[cross.name], order[i] = cross, cross.name
  end
  return ordered.object(result, order)
end

function FeatureSpace:init(args)
  self:configure(args, FeatureSpace)
  local given, given_crosses = rawget(self, "features"), rawget(self, "crosses")
  self.features, self.crosses = nil, nil
  layers.Layer.init(self, {name = args.name})
  local own = self.__own
  own.features = features_of(self, given)
  own.crosses = crosses_by_name(self, given_crosses, own.features)
  own.inputs = map_by_name(own.features, function(feature, name)
    return layers.Input{shape = {1}, dtype = feature.dtype, name = name}
  end)
  self.preprocessors = map_by_name(own.features, function(feature) return feature.preprocessor end)
  self.crossers = map_by_name(own.crosses, function(cross, name)
    return layers.HashedCrossing{cross.crossing_dim, name = name}
  end)
  self.one_hot_encoders = ordered.object()
end

local getters = FeatureSpace.__getters

--- The features by name.
function getters.features(self) return self.__own.features end

--- The crosses in order.
function getters.crosses(self)
  local list = {}
  for i, name in ipairs(ordered.keys(self.__own.crosses)) do list[i] = self.__own.crosses[name] end
  return list
end

--- The crosses by name, such as "a_X_b".
function getters.crosses_by_name(self) return self.__own.crosses end

--- The symbolic inputs by name.
function getters.inputs(self) return self.__own.inputs end

--- What `get_encoded_features` gave; nil before.
function getters.encoded_features(self) return self.__own.encoded end

---------------------------------------------------------------- adapting

local function is_adaptable(layer)
  if type(layer.adapt) ~= "function" then return false end
  if Object.is_instance(layer, layers.Normalization) then return layer.mean == nil end
  if Object.is_instance(layer, layers.TextVectorization) then
    return not layer._lookup_layer.__own.fixed
  end
  return true
end

local function adaptable_names(self)
  local result = {}
  for _, name in ipairs(ordered.keys(self.preprocessors)) do
    if is_adaptable(self.preprocessors[name]) then result[#result + 1] = name end
  end
  return result
end

local SCALARS = 32 -- elements of a dataset that make a batch

local function column_of(element, name)
  if not kinds.is_plain(element) or element[name] == nil then
    errors.raise("FeatureSpace.adapt: the elements of the dataset should be tables by name with "
      .. "the feature '%s', got %s", name, errors.describe(element))
  end
  return engine.tensor(element[name])
end

-- A function that gives one batch `[batch, 1]` of a column after another.
local function batches_of(fetch, name)
  return function()
    local scalars = {}
    while #scalars < SCALARS do
      local element = fetch()
      if element == nil then break end
      local tensor = column_of(element, name)
      if #tensor.shape > 0 then
        return #tensor.shape == 1 and ops.expand_dims(tensor, -1) or tensor
      end
      scalars[#scalars + 1] = tensor
    end
    if #scalars > 0 then return ops.expand_dims(ops.stack(scalars), -1) end
  end
end

--- Lets the layers of all features learn from data.
-- @param dataset a dataset of tables by name, or one table of columns by name
-- @raise where a feature is missing
function FeatureSpace:adapt(dataset)
  if kinds.is_plain(dataset) and next(dataset) ~= nil and #dataset == 0 then
    dataset = require("cusp.data").Dataset.from_tensor_slices(dataset)
  end
  if not kinds.is_dataset(dataset) then
    errors.raise("FeatureSpace.adapt: expected a dataset or a table of columns by name, got %s",
      errors.describe(dataset))
  end
  for _, name in ipairs(adaptable_names(self)) do
    local fetch, _, _, closing = dataset:iterate()
    local _ <close> = closing
    self.preprocessors[name]:adapt(batches_of(fetch, name))
  end
  self.__own.adapted, self.__own.encoded = true, nil
  self.one_hot_encoders, self.concat = ordered.object(), nil
  self:get_encoded_features()
end

---------------------------------------------------------------- encoding

local function check_adapted(self)
  if self.__own.adapted then return end
  local first = adaptable_names(self)[1]
  if first then
    errors.raise("%s (FeatureSpace): call adapt with data first, from which the feature '%s' is "
      .. "learned", self.name, first)
  end
  self.__own.adapted = true
end

local function cardinality(name, layer)
  if Object.is_instance(layer, layers.IntegerLookup)
    or Object.is_instance(layer, layers.StringLookup) then
    return layer:vocabulary_size()
  end
  if Object.is_instance(layer, layers.Discretization) then
    return layer.num_bins or #layer.bin_boundaries + 1
  end
  local size = layer.num_bins or layer.num_tokens
  if math.type(size) ~= "integer" then
    errors.raise('FeatureSpace: the feature \'%s\' has output_mode "one_hot", but it is not known '
      .. 'how many integers its layer gives; take output_mode "int"', name)
  end
  return size
end

local function one_hot(self, name, x)
  local encoder = self.one_hot_encoders[name]
  if not encoder then
    if not x.dtype:find "^u?int" then
      errors.raise('FeatureSpace: the feature \'%s\' has output_mode "one_hot", but its layer '
        .. "gives %s, not integers", name, x.dtype)
    end
    local size = cardinality(name, self.preprocessors[name] or self.crossers[name])
    encoder = layers.CategoryEncoding{num_tokens = size, output_mode = "multi_hot"}
    ordered.set(self.one_hot_encoders, name, encoder)
  end
  return encoder(x)
end

local function sorted_names(items)
  local result = ordered.keys(items) -- a fresh list
  plain.sort(result)
  return result
end

-- The columns by name as the output mode says.
local function merged(self, features, crossed)
  local result, list = ordered.object(), {}
  local function include(name, x, of)
    if of.output_mode == "one_hot" then x = one_hot(self, name, x) end
    if self.output_mode == "concat" and not x.dtype:find "float" then
      errors.raise("FeatureSpace: the feature '%s' cannot be part of one vector: it gives %s; take "
        .. 'output_mode = "dict", or "one_hot" for the feature', name, x.dtype)
    end
    ordered.set(result, name, x)
    list[#list + 1] = x
  end
  for _, name in ipairs(sorted_names(features)) do
    include(name, features[name], self.__own.features[name])
  end
  for _, name in ipairs(sorted_names(crossed)) do
    include(name, crossed[name], self.__own.crosses[name])
  end
  if self.output_mode == "dict" then return result end
  self.concat = self.concat or parts.TFDConcat{axis = -1}
  return self.concat(list)
end

local function encode(self, columns)
  local features = map_by_name(columns, function(x, name) return self.preprocessors[name](x) end)
  local crossed = map_by_name(self.__own.crosses, function(cross, name)
    local crossing = {}
    for i, feature in ipairs(cross.feature_names) do crossing[i] = features[feature] end
    return self.crossers[name](crossing)
  end)
  return merged(self, features, crossed)
end

--- The symbolic encoding of the symbolic inputs, of which a model can be made that takes prepared
-- columns.
function FeatureSpace:get_encoded_features()
  check_adapted(self)
  if not self.__own.encoded then
    self.__own.encoded = encode(self, self.__own.inputs)
    self.built = true
  end
  return self.__own.encoded
end

--- The symbolic inputs by name, of which a model can be made that takes columns as they are.
-- @usage local model = cusp.Model{inputs = space:get_inputs(),
--   outputs = layers.Dense(1)(space:get_encoded_features())}
function FeatureSpace:get_inputs()
  self:get_encoded_features()
  return self.__own.inputs
end

---------------------------------------------------------------- calls

local function input_of(self, name, value)
  local feature = self.__own.features[name]
  if not feature then
    errors.raise("%s (FeatureSpace): there is no feature '%s'%s", self.name, name,
      errors.suggestion(name, ordered.keys(self.__own.features)))
  end
  if type(value) == "table" and value.shape == nil or type(value) ~= "table" then
    value = engine.tensor(value)
  end
  local is_text, wanted = value.dtype == "string", feature.dtype
  if is_text ~= (wanted == "string") then
    errors.raise("%s (FeatureSpace): the feature '%s' should be of dtype %s, got %s", self.name,
      name, wanted, value.dtype)
  end
  return wanted == "float32" and not value.dtype:find "float" and ops.cast(value, wanted) or value
end

local function columns_of(self, data)
  if not kinds.is_plain(data) or #data > 0 then
    errors.raise("%s (FeatureSpace): expected a table of columns by name, got %s", self.name,
      errors.describe(data))
  end
  local columns, is_row = {}, false
  for _, name in ipairs(ordered.keys(self.__own.features)) do
    if data[name] == nil then
      errors.raise("%s (FeatureSpace): the feature '%s' is missing", self.name, name)
    end
  end
  for name, value in pairs(data) do
    local x = input_of(self, name, value)
    is_row = is_row or #x.shape == 0
    if #x.shape == 0 then x = ops.reshape(x, {1, 1}) end
    columns[name] = #x.shape == 1 and ops.expand_dims(x, -1) or x
  end
  return ordered.object(columns, ordered.keys(self.__own.features)), is_row
end

local function without_batch(x)
  return #x.shape == 2 and x.shape[1] == 1 and ops.squeeze(x, 1) or x
end

--- Encodes rows.
-- @tparam table data columns by name: tensors, lists, or the values of one row
-- @treturn tensor|table one vector for each row, or with output_mode "dict" a table by name
function FeatureSpace:__call(data)
  self:get_encoded_features()
  local columns, is_row = columns_of(self, data)
  local result = encode(self, columns)
  if not is_row then return result end
  if self.output_mode == "concat" then return without_batch(result) end
  return map_by_name(result, without_batch)
end

---------------------------------------------------------------- files

local function serialized(items)
  return map_by_name(items, registry.serialize)
end

function FeatureSpace:get_config()
  local crosses = {}
  for i, cross in ipairs(self.crosses) do crosses[i] = registry.serialize(cross) end
  return ordered.object({
    features = serialized(self.__own.features), output_mode = self.output_mode, crosses = crosses,
    crossing_dim = self.crossing_dim, hashing_dim = self.hashing_dim,
    num_discretization_bins = self.num_discretization_bins,
  }, {"features", "output_mode", "crosses", "crossing_dim", "hashing_dim",
    "num_discretization_bins"})
end

--- What the layers of the features were built for.
function FeatureSpace:get_build_config()
  return map_by_name(self.preprocessors, function(layer)
    return layer:get_build_config() or ordered.object()
  end)
end

--- Builds the layers of the features, which then count as adapted.
function FeatureSpace:build_from_config(config)
  for name, state in pairs(config) do
    local layer = self.preprocessors[name]
    if layer and not layer.built and kinds.is_plain(state) then layer:build_from_config(state) end
  end
  -- those that say nothing of it, and crosses, have no weights
  for _, layer in ipairs(self:sublayers()) do layer.built = true end
  self.__own.adapted, self.built = true, true
end

--- Saves it as a `.keras` file, which `cusp.models.load_model` reads.
-- @tparam string filepath
function FeatureSpace:save(filepath)
  self:get_encoded_features()
  if type(filepath) ~= "string" or not filepath:find "%.keras$" then
    errors.raise("FeatureSpace.save: expected a file name that ends in .keras, got %s",
      errors.describe(filepath))
  end
  require("cusp.saving.keras3.archive").write(filepath, self)
end

return FeatureSpace
