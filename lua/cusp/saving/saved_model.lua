--- SavedModel folders that tf.keras 2 wrote: the architecture from Keras's metadata, weights and
-- the optimizer's state from the checkpoint in `variables`. The graphs of functions are not read.
-- @module cusp.saving.saved_model
local configuration = require "cusp.saving.configuration"
local deferred = require "cusp.base.deferred"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"
local place = require "cusp.base.place"
local protobuf = require "cusp.formats.protobuf"
local warnings = require "cusp.base.warnings"

local saved_model = {}
local files = engine.files

---------------------------------------------------------------- metadata

local function decode(path, message)
  local reader <close> = files.open(path)
  local ok, result = engine.attempt(protobuf.decode, message, reader:read(0, reader.size))
  if ok then return result end
  errors.raise("load_model: %s: is damaged: %s", path, (tostring(result):gsub("^.-: ", "", 1)))
end

local function is_model(identifier)
  return identifier == "_tf_keras_model" or identifier == "_tf_keras_network"
    or identifier == "_tf_keras_sequential"
end

-- Before TensorFlow 2.5 the metadata stood among the objects of the graph.
local function older_root(folder)
  local path = folder .. "/saved_model.pb"
  local graphs = decode(path, "tensorflow.SavedModel").meta_graphs
  local objects = graphs and graphs[1] and graphs[1].object_graph_def
  local root = objects and objects.nodes and objects.nodes[1]
  return root and root.user_object, path
end

local function newer_root(folder)
  local path = folder .. "/keras_metadata.pb"
  for _, node in ipairs(decode(path, "tensorflow.KerasMetadata").nodes or {}) do
    if node.node_id == 0 then return node, path end
  end
end

-- What Keras says of the model itself, as text, and the file that it stands in.
local function find_root(folder)
  local find = files.exists(folder .. "/keras_metadata.pb") and newer_root or older_root
  local root, path = find(folder)
  if root and is_model(root.identifier) and root.metadata ~= "" then return root.metadata, path end
  errors.raise(
    "load_model: %s: this SavedModel holds functions as graphs, but not a Keras model%s. Cusp "
    .. "reads models that tf.keras 2 saved: save the Keras model in Python as .keras or .h5",
    folder, root and root.identifier:find "^_tf_keras" and " (its root is a layer)" or "")
end

-- Python's tuples and shapes as lists.
local function plain_lists(value)
  if not kinds.is_plain(value) then return value end
  if (value.class_name == "__tuple__" or value.class_name == "TensorShape")
    and kinds.is_plain(value.items) then
    return plain_lists(value.items)
  end
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = plain_lists(item) end
  return result
end

local function read_metadata(folder)
  local text, path = find_root(folder)
  local ok, metadata = engine.attempt(json.decode, text)
  if not ok or not kinds.is_plain(metadata) or type(metadata.class_name) ~= "string" then
    errors.raise("load_model: %s: the metadata of the model: %s", path,
      ok and "has no class_name" or metadata)
  end
  return plain_lists(metadata), path
end

---------------------------------------------------------------- the model

local function in_file(path, f, ...)
  local ok, result = engine.attempt(f, ...)
  if ok then return result end
  errors.raise("load_model: %s: %s", path, place.text(result))
end

local function compile(folder, model, training, options)
  if not kinds.is_plain(training) then
    warnings.warn("load_model: %s: has no training_config: the model is not compiled; call "
      .. "model:compile before training", folder)
    return
  end
  local ok, message = engine.attempt(in_file, folder, configuration.compile, model, training,
    options)
  if ok then return end
  errors.raise("%s; load_model with compile = false loads the model without it",
    place.text(message))
end

-- A class of the program's is built for the shape that the file knows; if it has a way of its own,
-- its weights wait for the first call.
local function build(model, shape)
  if deferred.is_built(model) or not kinds.is_plain(shape) then return end
  engine.attempt(model.build, model, shape)
end

-- Whether the file has the state of an optimizer.
local function has_optimizer(prefix)
  local reader <close> = require("cusp.saving.checkpoint").reader(prefix)
  for _, name in ipairs(reader:names()) do
    if name:find "^optimizer/" then return true end
  end
  return false
end

-- A weight without a value is an error; an optimizer's state that does not fit begins afresh.
local function check_all_found(folder, status)
  local ok, message = engine.attempt(status.assert_existing_objects_matched, status)
  if ok then return end
  local text = place.text(message)
  if text:find("layer '", 1, true) then errors.raise("load_model: %s: %s", folder, text) end
  warnings.warn("load_model: %s: %s", folder, text)
end

local function restore(folder, model)
  local prefix = folder .. "/variables/variables"
  if not files.exists(prefix .. ".index") then
    errors.raise("load_model: %s: has no variables/variables.index, so its weights are missing",
      folder)
  end
  local is_built = deferred.is_built(model)
  if model.compiled and is_built and has_optimizer(prefix) then
    model.optimizer:ensure_built(model.trainable_variables)
  end
  local status = require("cusp.saving.checkpoint").load(prefix, model)
  status:expect_partial()
  if is_built then check_all_found(folder, status) end
end

--- Reads a model.
-- @tparam string folder
-- @tparam[opt] table options `custom_objects`; `compile` (true)
-- @treturn Model
-- @raise for folders without a Keras model, naming the file and the fault
function saved_model.read(folder, options)
  options = options or {}
  local metadata, path = read_metadata(folder)
  local config = kinds.is_plain(metadata.config) and metadata.config or ordered.object{}
  local model = in_file(path, configuration.to_model,
    ordered.object{class_name = metadata.class_name, config = config,
      keras_version = metadata.keras_version},
    {custom_objects = options.custom_objects, compile = false})
  build(model, metadata.build_input_shape)
  if options.compile ~= false then compile(path, model, metadata.training_config, options) end
  restore(folder, model)
  return model
end

return saved_model
