--- Datasets of TFRecord files.
-- @module cusp.data.tfrecord
local Dataset = require "cusp.data.dataset"
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"

local tfrecord = {}

local function stage(name) return require("cusp.data.stages.source")[name] end

--- What one feature of a `tf.train.Example` holds.
-- @type FixedLenFeature
-- @tparam {integer,...} shape
-- @tparam string dtype "int64", "float32", ...; "string" for `parse_example` alone
-- @tparam[opt] number default_value for records without the feature, which are errors otherwise
-- @tparam[opt=false] boolean raw whether it is one byte string with the numbers as they lie in
-- memory (tf.io.decode_raw). Cusp's own
-- @tparam[opt] table image `{height, width, channels}`: it is a PNG or JPEG file, decoded and
-- resized to that as float32. Cusp's own
local FixedLenFeature = Object:extend("FixedLenFeature", {
  config = {
    {"shape", "shape"}, {"dtype", "string", default = "float32"},
    {"default_value", "number", optional = true},
    {"raw", "boolean", default = false}, {"image", "list", optional = true},
  },
})
tfrecord.FixedLenFeature = FixedLenFeature

local function check_feature(what, name, feature)
  if not Object.is_instance(feature, FixedLenFeature) then
    errors.raise("%s: feature '%s' should be a FixedLenFeature, got %s", what, tostring(name),
      errors.describe(feature))
  end
end

-- The features in the order of their names, as the engine takes them.
local function engine_features(features)
  local list, names = {}, structure.keys(features)
  for i, name in ipairs(names) do
    local feature = features[name]
    check_feature("from_tfrecord", name, feature)
    local image = feature.image
    list[i] = {
      name = name, kind = image and "image" or feature.raw and "raw" or "numbers",
      dtype = feature.dtype, shape = feature.shape,
      required = feature.default_value == nil, missing = feature.default_value,
      height = image and image[1], width = image and image[2],
      channels = image and (image[3] or 3),
    }
    if feature.dtype == "string" and not image then
      errors.raise(
        "from_tfrecord: feature '%s' is a string; read it with TFRecordDataset and parse_example",
        name)
    end
  end
  return list, names
end

local function form_of(order, names)
  local columns = {}
  for i, name in ipairs(names) do columns[name] = i end
  if order == nil then return columns end
  return structure.map(order, function(name)
    if not columns[name] then
      errors.raise("from_tfrecord: there is no feature '%s'%s", tostring(name),
        errors.suggestion(name, names))
    end
    return columns[name]
  end)
end

--- Samples of TFRecord files of `tf.train.Example` messages, read, checked and decoded in the
-- background.
-- @param paths a path or a list of paths, read one after another
-- @tparam table features name → FixedLenFeature
-- @param[opt] elements the structure of an element, with names of features in it, such as
-- `{"image", "label"}`; by default a table by name
-- @treturn Dataset
-- @raise naming file and record, where a record is cut off, its checksum is wrong, or a feature is
-- missing or of another size
-- @usage
-- local F = cusp.data.FixedLenFeature
-- local features = {x = F({4}, "float32"), y = F({}, "int64")}
-- local dataset = cusp.data.from_tfrecord("train.tfrecord", features, {"x", "y"})
function tfrecord.from_tfrecord(paths, features, elements)
  if features == nil and type(paths) == "table" and paths.features then
    paths, features, elements = paths.paths or paths[1], paths.features, paths.elements
  end
  if type(features) ~= "table" or next(features) == nil then
    errors.raise("from_tfrecord: features should be a table of FixedLenFeature by name, got %s",
      errors.describe(features))
  end
  local list, names = engine_features(features)
  local form, readers = form_of(elements, names), {}
  for i, path in ipairs(type(paths) == "table" and paths or {paths}) do
    if type(path) ~= "string" then
      errors.raise("from_tfrecord: paths are strings, got %s", errors.describe(path))
    end
    readers[i] = engine.data.tfrecord(path, list)
  end
  if #readers == 0 then errors.raise "from_tfrecord: there is no path" end
  local rows = #readers == 1 and readers[1] or engine.data.concatenate(readers)
  return Dataset.make(stage "rows", {rows = rows, form = form})
end

---------------------------------------------------------------- records as strings

local bind_records = arguments.binder("TFRecordDataset", {
  {"filenames", "any"},
  {"compression_type", "choice", choices = {"", "GZIP", "ZLIB"}, optional = true},
}, true)

local compressions = {[""] = "none", GZIP = "gzip", ZLIB = "zlib"}

--- The records of TFRecord files as strings.
-- @param filenames a path, or a list of paths
-- @tparam[opt=""] string compression_type "", "GZIP" or "ZLIB"
-- @treturn Dataset
function tfrecord.TFRecordDataset(...)
  local paths, compression = bind_records(...)
  paths = type(paths) == "table" and paths or {paths}
  local function start()
    local which, reader = 0, nil
    local function close()
      if reader then reader:close() end
      reader = nil
    end
    return function()
      while true do
        local record = reader and reader:read()
        if record then return {record, form = 1} end
        close()
        which = which + 1
        if not paths[which] then return nil end
        reader = require("cusp.formats.tfrecord").reader(paths[which],
          compressions[compression] or "none")
      end
    end, close
  end
  return Dataset.make(stage "reader",
    {start = start, form = 1, types = {{shape = {}, dtype = "string"}}})
end

local function feature_value(name, feature, list)
  if not list or #list == 0 then
    if feature.default_value == nil then
      errors.raise("parse_example: feature '%s' is missing", name)
    end
    return engine.ops.full(feature.shape, feature.default_value, {dtype = feature.dtype})
  end
  if feature.dtype == "string" then
    if #feature.shape == 0 then return list[1] end
    return list
  end
  local count = 1
  for _, size in ipairs(feature.shape) do count = count * size end
  if #list ~= count or type(list[1]) == "string" then
    errors.raise("parse_example: feature '%s': expected %d numbers for shape %s, got %d %s", name,
      count, errors.shape(feature.shape),
      #list, type(list[1]) == "string" and "strings" or "numbers")
  end
  return engine.tensor(list, {dtype = feature.dtype, shape = feature.shape})
end

local function check_features(features)
  if not structure.is_container(features) then
    errors.raise("parse_example: features should be a table by name of FixedLenFeature, got %s",
      errors.describe(features))
  end
  for name, feature in pairs(features) do check_feature("parse_example", name, feature) end
end

--- The features of one `tf.train.Example`, for `TFRecordDataset(...):map`.
-- @tparam string serialized
-- @tparam table features name → FixedLenFeature
-- @treturn table of tensors and strings by name
function tfrecord.parse_example(serialized, features)
  check_features(features)
  local decoded, result = require("cusp.formats.tfrecord").decode_example(serialized), {}
  for _, name in ipairs(structure.keys(features)) do
    result[name] = feature_value(name, features[name], decoded[name])
  end
  return result
end

return tfrecord
