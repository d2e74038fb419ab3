--- The arguments of `compile` in files: Keras 3's compile_config, and the training_config of HDF5
-- files.
-- @module cusp.saving.configuration.training
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local keras2 = require "cusp.saving.keras2.upgrade"
local keras2_table = require "cusp.saving.keras2.table"
local kinds = require "cusp.base.kinds"
local namespace = require "cusp.base.namespace"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

local training = {}
local is_plain = kinds.is_plain

---------------------------------------------------------------- writing

--- The path of the first function without a name in the arguments of `compile`, such as
-- "metrics[2]".
local function nameless(value, path)
  if type(value) == "function" then return not registry.is_named(value) and path or nil end
  if not is_plain(value) then return nil end
  for key, item in pairs(value) do
    local found = nameless(item,
      type(key) == "number" and ("%s[%d]"):format(path, key) or path .. "." .. tostring(key))
    if found then return found end
  end
  return nil
end

--- The argument that prevents writing a compiled model's settings, such as "loss"; nil if there is
-- none.
-- @tparam Model model
-- @treturn ?string
function training.obstacle(model)
  local config = model.__own.compile_config
  for _, key in ipairs{"loss", "metrics", "weighted_metrics"} do
    local found = config and nameless(config[key], key)
    if found then return found end
  end
  return nil
end

local keras3_keys = {
  "optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly",
  "steps_per_execution", "jit_compile",
}

--- Keras 3's form; empty if the model is not compiled or a function has no name.
-- @tparam Model model
-- @treturn table
function training.keras3(model)
  local config = model.__own.compile_config
  local result = ordered.object({}, {})
  if not config or training.obstacle(model) then return result end
  for _, key in ipairs(keras3_keys) do ordered.set(result, key, registry.serialize(config[key])) end
  return result
end

-- The forms of HDF5 files: their keys, and their table of optimizers.
local hdf5_forms = {
  tf2 = {"loss", "metrics", "weighted_metrics", "loss_weights", optimizers = "optimizers"},
  tf20 = {"loss", "metrics", "weighted_metrics", "sample_weight_mode", "loss_weights",
    optimizers = "legacy_optimizers"},
}

local function long_names(value)
  if type(value) == "string" then return keras2_table.loss_names[plain.lower(value)] or value end
  if not is_plain(value) or value.class_name ~= nil then return value end
  for key, item in pairs(value) do value[key] = long_names(item) end
  return value
end

--- The form of HDF5 files.
-- @tparam Model model
-- @tparam string format "tf2", as TF 2.11 to 2.15 write it ("Custom>Adam"), or "tf20", as TF 2.0 to
-- 2.10 did
-- @treturn ?table nil if the model is not compiled or a function has no name
function training.hdf5(model, format)
  local config, form = model.__own.compile_config, hdf5_forms[format]
  if not form then
    errors.raise("there is no form of training_config named %s%s", errors.describe(format),
      errors.suggestion(format, hdf5_forms))
  end
  if not config or training.obstacle(model) then return nil end
  local result, options = ordered.object({}, {}), {optimizers = form.optimizers}
  for _, key in ipairs(form) do
    local value = (keras2.of(registry.serialize(config[key]), options))
    ordered.set(result, key, key == "loss" and long_names(value) or value)
  end
  ordered.set(result, "optimizer_config",
    (keras2.of(registry.serialize(config.optimizer), options)))
  return result
end

---------------------------------------------------------------- reading

--- Applies `f` to each serialised form, string or number in a structure; null becomes nil, or false
-- in lists.
local function map(value, f)
  if value == null or value == nil then return nil end
  if not is_plain(value) or value.class_name ~= nil then return f(value) end
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do
    local mapped = map(item, f)
    if mapped == nil and type(key) == "number" then mapped = false end
    result[key] = mapped
  end
  return result
end

local function read_loss(value)
  value = keras2_table.older_losses[value] or value
  return registry.deserialize(value, {module = "keras.losses"})
end

--- The metric class for a function's name: "mean_squared_error" is MeanSquaredError.
local function metric_class(metrics, fn)
  for _, name in ipairs(namespace.names(metrics)) do
    if name ~= fn and namespace.snake_case(name) == fn then return metrics[name] end
  end
end

--- The metric for a function's name, under its old name: TF 2 wrote "accuracy" as a wrapper of the
-- actual metric.
local function wrapped_metric(config)
  local metrics = require "cusp.metrics"
  local fn = config.fn
  if type(fn) ~= "string" then
    return registry.deserialize({class_name = "MeanMetricWrapper", config = config},
      {module = "keras.metrics"})
  end
  local name = type(config.name) == "string" and config.name or nil
  local custom = registry.find_custom(fn)
  local class = not custom and metric_class(metrics, fn)
  if class then return class{name = name} end
  return metrics.MeanMetricWrapper{custom or metrics.get(fn), name = name}
end

--- TF 2 put an output's name in front of its metrics' names; training does that again.
local function without_prefix(metric, outputs)
  if not Object.is_instance(metric) or #outputs < 2 then return metric end
  for _, output in ipairs(outputs) do
    if metric.name:sub(1, #output + 1) == output .. "_" then
      metric.name = metric.name:sub(#output + 2)
      break
    end
  end
  return metric
end

local function metric_reader(outputs)
  return function(value)
    if type(value) == "string" then return keras2_table.older_metrics[value] or value end
    local wrapper = is_plain(value) and value.class_name == "MeanMetricWrapper"
      and is_plain(value.config)
    if wrapper then return without_prefix(wrapped_metric(value.config), outputs) end
    return without_prefix(registry.deserialize(value, {module = "keras.metrics"}), outputs)
  end
end

local readers = {
  optimizer = function(value) return require("cusp.optimizers").deserialize(value) end,
  loss = function(value) return map(value, read_loss) end,
  loss_weights = function(value) return map(value, function(number) return number end) end,
}

local function read_settings(model, config)
  local metric = metric_reader(model.output_names or {})
  local settings = {}
  for _, key in ipairs(keras3_keys) do
    local value = config[key]
    if key == "optimizer" and value == nil then value = config.optimizer_config end
    if value ~= nil and value ~= null then
      local read = readers[key]
      if key == "metrics" or key == "weighted_metrics" then value = map(value, metric)
      elseif read then value = read(value) end
      settings[key] = value
    end
  end
  return settings
end

--- Compiles a model according to a file.
-- @tparam Model model
-- @tparam table config Keras 3's or the training_config of an HDF5 file
-- @raise naming the part that cannot be read
function training.compile(model, config)
  if not is_plain(config) then
    errors.raise("the training configuration should be a table, got %s", errors.describe(config))
  end
  model:compile(read_settings(model, config))
  if model.built then model.optimizer:ensure_built(model.trainable_variables) end
end

return training
