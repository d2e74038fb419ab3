--- Whole models as HDF5: configuration, weights, compile arguments and optimizer state. Writes the
-- layout of tf.keras 2.15, for TensorFlow and Keras 3. Reads files of these and of TensorFlow 2.0
-- on.
-- @module cusp.saving.hdf5.model

local Object = require "cusp.base.class"
local configuration = require "cusp.saving.configuration"
local deferred = require "cusp.base.deferred"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local extra_state = require "cusp.saving.shared.extra_state"
local lists = require "cusp.base.lists"
local hdf5_weights = require "cusp.saving.hdf5.weights"
local json = require "cusp.formats.json"
local keras2_settings = require "cusp.saving.shared.settings"
local kinds = require "cusp.base.kinds"
local name_lists = require "cusp.saving.hdf5.name_lists"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local place = require "cusp.base.place"
local stored = require "cusp.saving.shared.stored"
local weight_names = require "cusp.saving.hdf5.weight_names"

local hdf5_model = {}

---------------------------------------------------------------- writing

local function check_kind(path, model)
  if model.__own.graph or Object.is_instance(model, require "cusp.models.sequential") then
    return
  end
  errors.raise(
    "save: %s: an HDF5 file holds functional and sequential models only; %s (%s) is a class with "
    .. "a call of its own: "
    .. "save it as .keras (its class needs get_config where its arguments are not plain values), "
      .. "or its weights with save_weights",
    path, model.name, getmetatable(model).__name)
end

local function write_optimizer(root, model)
  local names = weight_names.of_model(model)
  local entries = optimizer_state.tf2_entries(model.optimizer, function(variable)
    return names[variable] or variable.path or variable.name or "variable"
  end)
  local list = weight_names.unique(lists.pick(entries, "name"))
  local group = root:create_group "optimizer_weights"
  name_lists.write(group, "weight_names", list)
  for i, entry in ipairs(entries) do
    group:create_dataset(list[i], entry.value, {dtype = entry.dtype})
  end
end

--- Writes a model.
-- @tparam string path
-- @tparam Model model functional or sequential, built
-- @tparam[opt=true] boolean include_optimizer whether to write the compile arguments and the
-- optimizer's state
-- @raise if the model is of a user's class, or part of it has no configuration
function hdf5_model.write(path, model, include_optimizer)
  check_kind(path, model)
  local tree = configuration.of_model(model, {format = "h5"})
  local config, is_keras3 = json.encode(tree), tree.keras_version:find "^3"
  local training = include_optimizer ~= false and configuration.of_compile(model, {format = "h5"})
    or nil
  local file <close> = require("cusp.formats.hdf5").create(path)
  local root = file.root
  root.attributes:set("keras_version", is_keras3 and tree.keras_version or hdf5_weights.version)
  root.attributes:set("backend", hdf5_weights.backend)
  root.attributes:set("model_config", config, {charset = "ascii"})
  if training then
    root.attributes:set("training_config", json.encode(training), {charset = "ascii"})
    local settings = keras2_settings.of(model)
    if settings then
      root.attributes:set("cusp_optimizer", json.encode(settings), {charset = "ascii"})
    end
  end
  hdf5_weights.write(root:create_group "model_weights", model)
  if training and model.optimizer.built then write_optimizer(root, model) end
  extra_state.write(root, model, training ~= nil)
  file:close()
end

---------------------------------------------------------------- reading

local function text_attribute(path, root, name)
  local value = root.attributes:get(name)
  if value ~= nil and type(value) ~= "string" then
    errors.raise("%s: attribute '%s': expected a string, got %s", path, name,
      errors.describe(value))
  end
  return value
end

local function json_attribute(path, root, name)
  local text = text_attribute(path, root, name)
  if text == nil then return nil end
  local ok, value = engine.attempt(json.decode, text)
  if not ok then errors.raise("%s: attribute '%s': %s", path, name, value) end
  if not kinds.is_plain(value) then
    errors.raise("%s: attribute '%s': expected an object, got %s", path, name,
      errors.describe(value))
  end
  return value
end

local function in_file(path, f, ...)
  local ok, result = engine.attempt(f, ...)
  if ok then return result end
  local text = tostring(result)
  if text:find(path, 1, true) then error(result, 0) end
  errors.raise("load_model: %s: %s", path, text)
end

local function read_optimizer(path, root)
  local group = root:get "optimizer_weights"
  if not group then return nil end
  if group.kind ~= "group" then
    errors.raise("%s: %s: expected a group, got a dataset", path, group.name)
  end
  local found = {where = ("%s: %s"):format(path, group.name),
    names = name_lists.read(path, group, "weight_names"), values = {}}
  for i, name in ipairs(found.names) do
    local dataset = group:get(name)
    if not dataset or dataset.kind ~= "dataset" then
      errors.raise("%s: the listed variable '%s' is missing", found.where, name)
    end
    found.values[i] = stored.of_dataset(path, dataset)
  end
  return found
end

local function first_misfit(variables, values)
  for i, variable in ipairs(variables) do
    local misfit = variable and stored.misfit(variable, values[i])
    if misfit then return misfit end
  end
end

--- Pairs a file's optimizer state with the optimizer's variables; warns and resets it if it does
-- not fit.
local function match_optimizer(plan, found, optimizer)
  local variables, reason = optimizer_state.match(optimizer, found.names)
  reason = reason or first_misfit(variables, found.values)
  if reason then
    return stored.warn("%s: the optimizer's state does not fit %s and was reset: %s",
      found.where, tostring(optimizer), reason)
  end
  for i, variable in ipairs(variables) do
    if variable then plan:add(variable, found.values[i]) end
  end
end

--- Assigns all values to a built model, its weights and the optimizer's state together.
local function restore(model, contents)
  local plan = hdf5_weights.match(contents.weights, model)
  local with_optimizer = contents.optimizer ~= nil and model.compiled == true
  if with_optimizer then
    model.optimizer:ensure_built(model.trainable_variables)
    match_optimizer(plan, contents.optimizer, model.optimizer)
  end
  extra_state.match(plan, contents.extra, model, with_optimizer)
  local done = plan:run()
  if with_optimizer then optimizer_state.complete(model.optimizer, done) end
end

local function keep(contents)
  hdf5_weights.keep(contents.weights)
  for _, value in ipairs(contents.optimizer and contents.optimizer.values or {}) do
    stored.keep(value)
  end
end

local function compile(path, model, training, options)
  if training == nil then
    return stored.warn(
      "load_model: %s: has no training_config: the model is not compiled; call model:compile "
      .. "before training", path)
  end
  local ok, message = engine.attempt(in_file, path, configuration.compile, model, training, options)
  if ok then return end
  errors.raise("%s; load_model with compile = false loads the model without it",
    place.text(message))
end

-- Keras's HDF5 files lack the vocabularies that layers learned.
local function warn_of_vocabulary(path, layer)
  if layer.lacks_vocabulary and layer:lacks_vocabulary() then
    stored.warn("load_model: %s: has no vocabulary for the layer '%s', since HDF5 files of Keras "
      .. "hold none that was learned: call set_vocabulary or adapt, or save the model as .keras",
      path, layer.name)
  end
  for _, sublayer in ipairs(layer:sublayers()) do warn_of_vocabulary(path, sublayer) end
end

local function read_contents(path, root, model)
  local group = root:get "model_weights"
  if not group or group.kind ~= "group" then
    errors.raise("load_model: %s: has no group model_weights", path)
  end
  return {
    weights = hdf5_weights.read(path, group), extra = extra_state.read(path, root),
    optimizer = model.compiled and read_optimizer(path, root) or nil,
  }
end

--- Reads a model.
-- @tparam string path
-- @tparam[opt] table options `custom_objects`; `compile` (true)
-- @treturn Model
-- @raise naming the file and the position
function hdf5_model.read(path, options)
  options = options or {}
  local file <close> = stored.open(path)
  local root = file.root
  local config = json_attribute(path, root, "model_config")
  if config == nil then
    errors.raise(
      "load_model: %s: has no model_config: it holds weights, not a model; make the model and "
      .. "call load_weights", path)
  end
  local model = in_file(path, configuration.to_model, config, {
    custom_objects = options.custom_objects, compile = false,
    keras_version = text_attribute(path, root, "keras_version"),
  })
  if options.compile ~= false then
    compile(path, model, json_attribute(path, root, "training_config"), options)
    keras2_settings.restore(model, json_attribute(path, root, "cusp_optimizer"))
  end
  local contents = read_contents(path, root, model)
  if not deferred.is_built(model) then keep(contents) end
  deferred.when_built(model, function() restore(model, contents) end)
  warn_of_vocabulary(path, model)
  return model
end

return hdf5_model
