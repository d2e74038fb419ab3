--- Saving and loading: `Model:save`, `save_weights`, `load_weights`, `cusp.models.load_model`.
--
-- | name | written |
-- | --- | --- |
-- | `model.keras` | a whole model, as Keras 3 writes it |
-- | `model.h5`, `model.hdf5` | a whole functional or sequential model, as tf.keras 2 writes it |
-- | `x.weights.h5` | weights and optimizer state, as Keras 3 writes them |
-- | `x.h5`, `x.hdf5` | weights, as tf.keras 2 writes them |
-- | `x.safetensors` | weights as named tensors |
-- | any other name | weights and optimizer state, as a TensorFlow checkpoint |
--
-- Loading detects the format from the contents. Files are written atomically.
-- @module cusp.saving.methods

local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local plain = require "cusp.base.plain"
local checks = require "cusp.training.checks"
local deferred = require "cusp.base.deferred"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local gathering = require "cusp.base.gathering"
local stored = require "cusp.saving.shared.stored"
local whole = require "cusp.base.whole"

local methods = {}
local files = engine.files

---------------------------------------------------------------- names

local function ends_with(path, ending) return plain.lower(path):sub(-#ending) == ending end

local function is_hdf5_name(path) return ends_with(path, ".h5") or ends_with(path, ".hdf5") end

local function check_path(what, path)
  if type(path) ~= "string" or path == "" then
    errors.raise("%s: expected a file name, got %s", what, errors.describe(path))
  end
  if path:find("\0", 1, true) then errors.raise("%s: a file name cannot contain NUL", what) end
end

local function make_parent(path)
  local parent = path:match "^(.*)/[^/]*$"
  if parent and parent ~= "" and not files.is_directory(parent) then
    files.make_directories(parent)
  end
end

local function ask(path)
  io.stderr:write(("%s exists already; overwrite it? [y/n] "):format(path))
  local answer = io.read "l"
  return answer ~= nil and plain.lower(answer):sub(1, 1) == "y"
end

--- Checks whether a file may be written: if it exists and should not be overwritten, asks the user.
-- @raise if there is no terminal for asking
local function may_write(what, path, existing, overwrite)
  if overwrite or not files.exists(existing) then return true end
  if not engine.is_terminal(0) then
    errors.raise("%s: %s exists already and overwrite is false", what, path)
  end
  return ask(path)
end

---------------------------------------------------------------- whole models

local bind_save = arguments.binder("save", {
  {"filepath", "any"}, {"overwrite", "boolean", default = true},
  {"zipped", "boolean", optional = true},
  {"include_optimizer", "boolean", default = true}, {"save_format", "string", optional = true},
}, false)

local model_formats = {keras = "keras", h5 = "h5", hdf5 = "h5", tf = "tf", tensorflow = "tf"}

local function model_format(path, given, zipped)
  if given then
    local format = model_formats[given]
    if not format then
      errors.raise("save: save_format should be \"keras\" or \"h5\", got %s",
        errors.describe(given))
    end
    if format == "h5" and ends_with(path, ".keras") then
      errors.raise(
        "save: save_format = \"h5\" does not match the name '%s', which ends in .keras", path)
    end
    if format ~= "tf" then return format end
  end
  if not given and ends_with(path, ".keras") then return "keras" end
  if not given and is_hdf5_name(path) then return "h5" end
  if not given and zipped == false then return "keras" end
  errors.raise(
    "save: '%s': TensorFlow's SavedModel is not written; a model is saved to a name that ends in "
    .. ".keras or .h5 "
    .. "(weights alone as a TensorFlow checkpoint: model:save_weights)", path)
end

local function check_zipped(path, format, zipped)
  if zipped == nil then return end
  if format ~= "keras" then
    errors.raise("save: zipped requires the .keras format, got '%s'", path)
  end
  if zipped and not ends_with(path, ".keras") then
    errors.raise("save: with zipped = true the name should end in .keras, got '%s'", path)
  end
  if not zipped and ends_with(path, ".keras") then
    errors.raise(
      "save: with zipped = false the name is that of a folder and does not end in .keras, got '%s'",
      path)
  end
end

local function write_model(model, path, format, options)
  make_parent(path)
  if format == "h5" then
    return require("cusp.saving.hdf5.model").write(path, model, options.include_optimizer)
  end
  require("cusp.saving.keras3.archive").write(path, model, options)
end

--- Saves the whole model: architecture, weights, compile arguments, and the optimizer's state.
-- @tparam string filepath ends in .keras, or in .h5 or .hdf5 for a functional or sequential model;
-- missing folders are created
-- @tparam[opt=true] boolean overwrite false: ask the user if the file exists; an error without a
-- terminal
-- @tparam[opt] boolean zipped false: write a folder with the files of a .keras archive
-- @tparam[opt=true] boolean include_optimizer
-- @tparam[opt] string save_format "keras" or "h5", if the name does not decide it
-- @raise if part of the model has no configuration or the file cannot be written; the old file is
-- then unchanged
-- @usage model:save "model.keras"
function methods:save(...)
  checks.receiver(self, "save")
  local path, overwrite, zipped, include_optimizer, save_format = bind_save(...)
  check_path("save", path)
  local format = model_format(path, save_format, zipped)
  check_zipped(path, format, zipped)
  if not may_write("save", path, path, overwrite) then return end
  if not deferred.is_built(self) then
    errors.raise(
      "save: the model '%s' has no weights yet: build it, or call it on data, before saving it",
      self.name)
  end
  gathering.by_first("save", self.weights, write_model, self, path, format,
    {include_optimizer = include_optimizer, zipped = zipped})
end

--- The first bytes of a file; nil if it is not a file.
local function signature(path)
  if not files.exists(path) or files.is_directory(path) then return nil end
  local reader <close> = files.open(path)
  return reader:read(0, math.min(reader.size, 8))
end

local HDF5, ZIP = "\137HDF\r\n\26\n", "PK"

local function kind_of_file(path)
  local bytes = signature(path)
  if bytes == nil then return nil end
  if bytes == HDF5 or bytes:sub(1, 2) ~= ZIP and is_hdf5_name(path) then return "hdf5" end
  return (bytes:sub(1, 2) == ZIP or ends_with(path, ".keras")) and "zip" or "unknown"
end

local bind_load_model = arguments.binder("load_model", {
  {"filepath", "any"}, {"custom_objects", "any", optional = true},
  {"compile", "boolean", default = true},
  {"safe_mode", "boolean", default = true},
}, false)

local function all_objects(value)
  if not kinds.is_plain(value) then return false end
  local some = false
  for key, item in pairs(value) do
    if type(key) ~= "string"
      or type(item) ~= "function" and not Object.is_subclass(item, Object) then
      return false
    end
    some = true
  end
  return some
end

--- Custom objects may be the second argument, as in Python, although the table looks like one of
-- keywords.
local function with_named_objects(...)
  local path, second = ...
  if select("#", ...) == 2 and all_objects(second) then return path, {custom_objects = second} end
  return ...
end

local function folder_kind(path)
  if files.exists(path .. "/config.json") then return "zip" end
  if files.exists(path .. "/saved_model.pb") then return "saved_model" end
  errors.raise("load_model: %s is a folder with neither config.json nor saved_model.pb: expected a "
    .. ".keras or .h5 file, or a SavedModel folder", path)
end

local function no_model_at(path)
  local weights = files.exists(path .. ".index")
    and (", but a checkpoint '%s.index', which holds weights: make the model and call load_weights")
      :format(path) or ""
  errors.raise("load_model: the file '%s' does not exist%s", path, weights)
end

--- Loads a model from a file written by `save` or Keras.
-- @tparam string filepath .keras or HDF5, detected from the contents; or a folder, as written with
-- `zipped = false` or, as a SavedModel, by tf.keras 2
-- @tparam[opt] table custom_objects classes and functions by name
-- @tparam[opt=true] boolean compile whether to compile the model as it was, with the optimizer's
-- state
-- @tparam[opt=true] boolean safe_mode accepted for compatibility with Keras: code in a file is
-- never run
-- @treturn Model
-- @raise naming the file, the position and the fault
-- @usage local model = cusp.models.load_model "model.keras"
function methods.load_model(...)
  local path, custom_objects, compile = bind_load_model(with_named_objects(...))
  check_path("load_model", path)
  if not files.exists(path) then no_model_at(path) end
  local options = {custom_objects = custom_objects, compile = compile}
  local kind = files.is_directory(path) and folder_kind(path) or kind_of_file(path)
  if kind == "hdf5" then return require("cusp.saving.hdf5.model").read(path, options) end
  if kind == "zip" then return require("cusp.saving.keras3.archive").read(path, options) end
  if kind == "saved_model" then return require("cusp.saving.saved_model").read(path, options) end
  errors.raise("load_model: %s is neither a .keras archive nor an HDF5 file%s", path,
    plain.lower(path):find "%.onnx$" and "; cusp.onnx.load reads models of ONNX" or "")
end

---------------------------------------------------------------- weights

local bind_save_weights = arguments.binder("save_weights", {
  {"filepath", "any"}, {"overwrite", "boolean", default = true},
  {"save_format", "string", optional = true},
  {"options", "any", optional = true},
}, false)

local weight_formats = {h5 = "h5", hdf5 = "h5", keras = "h5", tf = "checkpoint",
  tensorflow = "checkpoint", safetensors = "safetensors"}

local function weight_format(path, given)
  local by_name = ends_with(path, ".weights.h5") and "keras3" or is_hdf5_name(path) and "h5"
    or ends_with(path, ".safetensors") and "safetensors" or nil
  if ends_with(path, ".keras") then
    errors.raise(
      "save_weights: '%s': a .keras file holds a whole model (model:save); weights are saved to "
      .. "names that end in "
      .. ".weights.h5, .h5 or .safetensors, or without an ending as a TensorFlow checkpoint", path)
  end
  if given == nil then return by_name or "checkpoint" end
  local format = weight_formats[given]
  if not format then
    errors.raise("save_weights: save_format should be \"h5\", \"safetensors\" or \"tf\", got %s",
      errors.describe(given))
  end
  if by_name
    and (by_name == "safetensors" or format ~= "h5") and format ~= by_name then
    errors.raise(
      "save_weights: save_format = \"%s\" does not match the name '%s', which is for "
      .. "another format", given, path)
  end
  return format == "h5" and by_name or format
end

local function write_hdf5(path, write)
  local file <close> = require("cusp.formats.hdf5").create(path)
  write(file.root)
  file:close()
end

local writers = {
  safetensors = function(path, model)
    require("cusp.saving.keras3.safetensors").write(path, model)
  end,
  h5 = function(path, model)
    write_hdf5(path, function(root) require("cusp.saving.hdf5.weights").write(root, model) end)
  end,
  keras3 = function(path, model)
    write_hdf5(path, function(root) require("cusp.saving.keras3.weights").write(root, model) end)
  end,
  checkpoint = function(path, model, options)
    return require("cusp.saving.checkpoint").save(path, model, options)
  end,
}

--- Saves the weights.
-- @tparam string filepath ends in .weights.h5 (Keras 3's layout, with the optimizer's state), or in
-- .h5 or .hdf5 (tf.keras 2's layout), or in .safetensors; any other name is the prefix of a
-- TensorFlow checkpoint, with the optimizer's state
-- @tparam[opt=true] boolean overwrite false: ask the user if the file exists
-- @tparam[opt] string save_format "h5", "safetensors" or "tf", if the name does not decide
-- @raise if the model has no weights yet
-- @usage model:save_weights "weights"; model:save_weights("weights.h5", {save_format = "h5"})
function methods:save_weights(...)
  checks.receiver(self, "save_weights")
  local path, overwrite, save_format, options = bind_save_weights(...)
  check_path("save_weights", path)
  local format = weight_format(path, save_format)
  if not deferred.is_built(self) then
    errors.raise(
      "save_weights: the model '%s' has no weights yet: build it, or call it on data, before "
      .. "saving them", self.name)
  end
  if not may_write("save_weights", path, format == "checkpoint" and path .. ".index" or path,
    overwrite) then
    return
  end
  return gathering.by_first("save_weights", self.weights, function()
    make_parent(path)
    return writers[format](path, self, options)
  end)
end

local bind_load_weights = arguments.binder("load_weights", {
  {"filepath", "any"}, {"skip_mismatch", "boolean", default = false},
  {"by_name", "boolean", default = false},
  {"options", "any", optional = true},
}, false)

local function load_tf2_layout(model, path, group, options)
  local hdf5_weights = require "cusp.saving.hdf5.weights"
  local contents = hdf5_weights.read(path, group)
  if not deferred.is_built(model) then hdf5_weights.keep(contents) end
  deferred.when_built(model, function() hdf5_weights.match(contents, model, options):run() end,
    path .. (options.by_name and " by name" or ""))
end

local function load_keras3_layout(model, path, root, options)
  if options.by_name then
    errors.raise(
      "load_weights: %s: by_name requires the layout of tf.keras 2; this file uses paths",
      path)
  end
  local keras3_weights, archive = require "cusp.saving.keras3.weights",
    require "cusp.saving.keras3.archive"
  local contents = keras3_weights.read(path, root)
  if not deferred.is_built(model) then keras3_weights.keep(contents) end
  deferred.when_built(model, function() archive.restore(model, contents, options) end, path)
end

local function load_hdf5(model, path, options)
  local file <close> = stored.open(path)
  local root, hdf5_weights = file.root, require "cusp.saving.hdf5.weights"
  local weights = root:get "model_weights"
  if hdf5_weights.is_layout(root) then return load_tf2_layout(model, path, root, options) end
  if weights and weights.kind == "group" then
    return load_tf2_layout(model, path, weights, options)
  end
  if require("cusp.saving.keras3.weights").is_layout(root) then
    return load_keras3_layout(model, path, root, options)
  end
  errors.raise(
    "load_weights: %s: is not a file of weights: it has neither layer_names nor a group layers or "
    .. "vars (it has %s)", path,
    #root:names() > 0 and table.concat(root:names(), ", ") or "nothing")
end

local function load_archive(model, path, options)
  if options.by_name then
    errors.raise(
      "load_weights: %s: by_name requires the layout of tf.keras 2; this file uses paths",
      path)
  end
  require("cusp.saving.keras3.archive").load_weights(path, model, options)
end

local function load_checkpoint(model, path, options)
  if options.by_name then
    errors.raise(
      "load_weights: %s: a TensorFlow checkpoint is matched by what the model consists of, not "
      .. "by_name", path)
  end
  return require("cusp.saving.checkpoint").load(path, model, options)
end

local function load_safetensors(model, path, options)
  if options.by_name then
    errors.raise("load_weights: %s: by_name requires the layout of tf.keras 2; safetensors are "
      .. "found by paths", path)
  end
  require("cusp.saving.keras3.safetensors").load(path, model, options)
end

local function checkpoint_at(path)
  return files.exists(path .. ".index")
    or files.is_directory(path) and files.exists(path .. "/checkpoint")
end

local function load_weights(self, path, options)
  local kind = kind_of_file(path)
  if kind == "hdf5" then return load_hdf5(self, path, options) end
  if kind == "zip" then return load_archive(self, path, options) end
  if kind and ends_with(path, ".safetensors") then return load_safetensors(self, path, options) end
  if checkpoint_at(path) then return load_checkpoint(self, path, options) end
  local prefix = path:match "^(.+)%.index$" or path:match "^(.+)%.data%-%d+%-of%-%d+$"
  if prefix and checkpoint_at(prefix) then
    errors.raise(
      "load_weights: %s is a file of the checkpoint '%s', which is named without the ending: "
      .. "load_weights \"%s\"", path,
      prefix, prefix)
  end
  if kind == "unknown" then
    errors.raise("load_weights: %s is neither an HDF5 file nor a .keras archive nor a checkpoint",
      path)
  end
  errors.raise("load_weights: neither a file '%s' nor a checkpoint '%s.index' exists", path, path)
end

--- Loads weights into a model of the same structure. If it is not built yet, its weights are set
-- when it is.
-- @tparam string filepath written by `save_weights` or `save`, TensorFlow or Keras; the format is
-- detected from the contents
-- @tparam[opt=false] boolean skip_mismatch skip what does not fit, with a warning
-- @tparam[opt=false] boolean by_name match layers by name (tf.keras 2's layout), for a model of
-- which only parts are the same
-- @return for a checkpoint, a status with `assert_consumed()` and `expect_partial()`
-- @raise if something does not fit, naming the file, the layer and the variable; the model is then
-- unchanged
-- @usage model:load_weights "weights.h5"
function methods:load_weights(...)
  checks.receiver(self, "load_weights")
  local path, skip_mismatch, by_name, checkpoint_options = bind_load_weights(...)
  check_path("load_weights", path)
  deferred.forget_failed(self)
  local options = {skip_mismatch = skip_mismatch, by_name = by_name, options = checkpoint_options}
  return whole.with({self}, load_weights, self, path, options)
end

return methods
