--- Converts models to configurations and back, for JSON and YAML texts, HDF5 files and `.keras`
-- archives.
--
-- Forms (`format`):
--
--  - "tf2": TF 2.0's, `{class_name = "Model", config = ..., keras_version = "2.2.4-tf",
--    backend = "tensorflow"}`;
--  - "h5": the same in a form that Keras 3 also reads from HDF5 files: the input of a stack is
--    a separate layer, as in TF 2.2 and later, and keys that Keras 3 refuses (`time_major`,
--    `implementation`, ...) are left out, since they hold defaults;
--  - "keras3": Keras 3's, `{module =, class_name =, config =, registered_name =, build_config =,
--    compile_config =}`.
-- @module cusp.saving.configuration
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local generation = require "cusp.base.generation"
local lists = require "cusp.base.lists"
local keras2 = require "cusp.saving.keras2.upgrade"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local place = require "cusp.base.place"
local registry = require "cusp.base.registry"
local training = require "cusp.saving.configuration.training"
local warnings = require "cusp.base.warnings"

local configuration = {}
local is_plain = kinds.is_plain

local KERAS1 = " (this is a model of Keras 1, which is not read; Keras 2.0 to 2.3 load it, and "
  .. "what they save is)"

---------------------------------------------------------------- writing

local formats = {tf2 = {}, h5 = {input_layers = true, common = true}, keras3 = false}

local function options_of(format)
  local options = formats[format or "tf2"]
  if options == nil then
    errors.raise("format should be \"tf2\", \"h5\" or \"keras3\", got %s%s",
      errors.describe(format), errors.suggestion(format, formats))
  end
  return options
end

local function warn_of_name(model, name, object)
  local found = registry.find(name:match ">(.+)$" or name, nil, name)
  if found == nil or found == object then return end
  warnings.warn(
    "%s: '%s' is written by that name, which by now means %s made later: what is loaded will have "
    .. "the later one, unless "
    .. "custom_objects = {%s = ...} says otherwise", model.name, name,
    type(object) == "table" and "a class" or "a function", name)
end

--- Loading finds classes by name. Two of one name cannot both be restored, and an older one only if
-- the loader is told about it.
local function check_names(model, noted)
  for name, objects in pairs(noted) do
    local first = next(objects)
    if next(objects, first) then
      errors.raise(
        "%s: it holds objects of two classes or functions named '%s', and loading could not tell "
        .. "them apart; give each a "
        .. "name of its own (extend, register_keras_serializable)", model.name, name)
    end
    warn_of_name(model, name, first)
  end
end

--- The configuration of a model.
-- @tparam Model model
-- @tparam[opt] table options `format`: "tf2" (default), "h5" or "keras3"
-- @treturn table with ordered keys
-- @raise if a class has no configuration, explaining what to write
function configuration.of_model(model, options)
  local layout = options_of(options and options.format)
  local tree, noted = registry.noting(registry.serialize, model)
  check_names(model, noted)
  if not layout then return require("cusp.saving.configuration.keras3").of(tree) end
  local result, version = keras2.of(tree, layout)
  ordered.set(result, "keras_version", version or "2.2.4-tf")
  ordered.set(result, "backend", "tensorflow")
  return result
end

local warned_of_optimizer = setmetatable({}, {__mode = "k"})

--- Warns, once per call of `compile`, about an optimizer from a Keras 2 file that behaves
-- differently from Keras's class of that name.
local function warn_of_optimizer(model, settings)
  local lost = not warned_of_optimizer[settings]
    and require("cusp.saving.shared.settings").of(model)
  if not lost then return end
  warned_of_optimizer[settings] = true
  local name, value = next(lost)
  warnings.warn(
    "%s: the optimizer has %s = %s from a file of Keras 2: where Keras 3 reads this file, "
    .. "training goes on without it",
    model.name, name, tostring(value))
end

-- settings for which a warning was given
local warned = setmetatable({}, {__mode = "k"})

--- Whether the arguments of `compile` can be written. If a loss or metric is a Lua function without
-- a name they cannot; a warning says so once per call of `compile`.
-- @tparam Model model
-- @treturn boolean false also if the model is not compiled
function configuration.has_compile(model)
  local settings = model.__own.compile_config
  local obstacle = settings and training.obstacle(model)
  if obstacle and not warned[settings] then
    warned[settings] = true
    warnings.warn(
      "%s: what it was compiled with is not saved, since %s is a function without a name; give it "
      .. "one "
      .. "with cusp.utils.register_keras_serializable", model.name, obstacle)
  end
  if settings then warn_of_optimizer(model, settings) end
  return settings ~= nil and not obstacle
end

--- The arguments of `compile` in file form. If a loss or metric is a Lua function without a name,
-- the model counts as not compiled, with a warning.
-- @tparam Model model
-- @tparam[opt] table options `format`: "tf2" (default; the training_config of TF 2.11 to 2.15),
-- "tf20" (that of TF 2.0 to 2.10), or "keras3" (compile_config)
-- @treturn ?table nil if the model is not compiled
function configuration.of_compile(model, options)
  if not configuration.has_compile(model) then return nil end
  local format = options and options.format or "tf2"
  if format == "keras3" then return training.keras3(model) end
  return training.hdf5(model, format == "h5" and "tf2" or format)
end

---------------------------------------------------------------- reading

local function raise_in(what, message)
  local text = place.text(message)
  errors.raise("%s", what .. (text:find "^layers%[" and ", " or ": ") .. text)
end

local function scoped(options, f, ...)
  local objects = options and options.custom_objects
  if is_plain(objects) and next(objects) == nil then objects = nil end
  return registry.with_custom_objects(objects, f, ...)
end

--- Compiles a model according to its file.
-- @tparam Model model
-- @tparam table config a training_config or compile_config
-- @tparam[opt] table options `custom_objects`
-- @raise naming what is unknown; the model is then unchanged
function configuration.compile(model, config, options)
  local ok, message = engine.attempt(scoped, options, training.compile, model, config)
  if not ok then raise_in("training configuration", message) end
end

local function read_model(config)
  if not is_plain(config) then errors.raise("expected a table, got %s", errors.describe(config)) end
  if type(config.class_name) ~= "string" then
    errors.raise("class_name should be a string such as \"Model\" or \"Sequential\", got %s",
      errors.describe(config.class_name))
  end
  local model = registry.deserialize(config, {module = "keras.models"})
  if type(model) ~= "table" or not model.__is_layer then
    errors.raise("class_name: '%s' is not a model", config.class_name)
  end
  return model
end

-- Compiles as the model's class says: a `compile` of its own may take other arguments.
local function compile_as_class(model, settings, options)
  if Object.overrides(model, "compile_from_config") then
    scoped(options, model.compile_from_config, model, settings)
  elseif Object.overrides(model, "compile") then
    errors.raise("its class has a compile of its own; call it, or define get_compile_config and "
      .. "compile_from_config(config), too")
  else
    configuration.compile(model, settings, options)
  end
end

local function compile_if_told(model, config, options)
  local settings = config.compile_config
  if options and options.compile == false or not is_plain(settings) or next(settings) == nil then
    return
  end
  if not model.compile then return end
  local ok, message = engine.attempt(compile_as_class, model, settings, options)
  if ok then return end
  local text = place.text(message)
  if text:find("out of memory", 1, true) then error(text, 0) end
  warnings.warn("%s: the model is not compiled: %s", model.name, text)
end

--- Makes a model from its configuration, of any generation of Keras.
-- @tparam table config
-- @tparam[opt] table options `custom_objects`: classes and functions by name; `compile`: whether to
-- use Keras 3's compile_config (true); `keras_version`: that of the file, if the configuration
-- lacks it
-- @treturn Model
-- @raise naming the place in the configuration and the fault
function configuration.to_model(config, options)
  local version = kinds.is_plain(config) and config.keras_version
    or options and options.keras_version
  local ok, model = engine.attempt(generation.within, version, scoped, options, read_model, config)
  if not ok then
    if generation.is_keras1(config, version) then model = place.text(model) .. KERAS1 end
    raise_in("model configuration", model)
  end
  compile_if_told(model, config, options)
  return model
end

---------------------------------------------------------------- texts

local json_parameters = {
  {"format", "string", default = "tf2"}, {"indent", "any", optional = true},
  {"ensure_ascii", "boolean", default = true},
  {"sort_keys", "boolean", default = false},
}

local function sorted(value)
  if not is_plain(value) then return value end
  if not ordered.is_object(value) and (#value > 0 or next(value) == nil) then
    local result = {}
    for i = 1, #value do result[i] = sorted(value[i]) end
    return result
  end
  local result = {}
  for key, item in pairs(value) do result[key] = sorted(item) end
  return ordered.object(result, lists.keys(result))
end

--- The text of `Model:to_json`.
function configuration.to_json(model, ...)
  local format, indent, ascii, sort = arguments.bind("to_json", json_parameters, false, ...)
  local tree = configuration.of_model(model, {format = format})
  return require("cusp.formats.json").encode(sort and sorted(tree) or tree,
    {indent = indent, ascii = ascii})
end

-- Marks the places where Python's configurations have tuples, as its YAML does.
local tuples = {
  batch_input_shape = true, kernel_size = true, strides = true, dilation_rate = true,
  pool_size = true, target_shape = true, dims = true,
  size = true, padding = true, cropping = true, output_padding = true, attention_axes = true,
  batch_shape = true,
}

local function mark_tuples(value, is_tuple, yaml)
  if not is_plain(value) then return value end
  if #value > 0 then
    local result = {}
    for i = 1, #value do result[i] = mark_tuples(value[i], is_tuple, yaml) end
    return is_tuple and yaml.tuple(result) or result
  end
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = mark_tuples(item, tuples[key] or false, yaml) end
  return result
end

local yaml_parameters = {{"format", "string", default = "tf2"},
  {"sort_keys", "boolean", default = true}}

--- The text of `Model:to_yaml`.
function configuration.to_yaml(model, ...)
  local format, sort = arguments.bind("to_yaml", yaml_parameters, false, ...)
  local yaml = require "cusp.formats.yaml"
  local tree = mark_tuples(configuration.of_model(model, {format = format}), false, yaml)
  return yaml.encode(tree, {sort_keys = sort})
end

--- Makes a model from a text.
-- @tparam string what "model_from_json" or "model_from_yaml"
-- @tparam function decode
-- @param text
-- @tparam[opt] table custom_objects
function configuration.of_text(what, decode, text, custom_objects)
  if type(text) ~= "string" then
    errors.raise("%s: expected the text of a model's configuration, got %s", what,
      errors.describe(text))
  end
  local ok, config = engine.attempt(decode, text)
  if not ok then errors.raise("%s: %s", what, place.text(config)) end
  if config == null or not is_plain(config) then
    errors.raise("%s: expected the configuration of a model, got %s", what, errors.describe(config))
  end
  return configuration.to_model(config, {custom_objects = custom_objects})
end

return configuration
