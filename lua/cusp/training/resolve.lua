--- Losses and metrics from what `compile` is given: names, functions, objects. Some names mean
-- different things for different outputs.
-- @module cusp.training.resolve
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local losses = require "cusp.losses"
local metrics = require "cusp.metrics"
local null = require "cusp.base.null"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"

local resolve = {}

local crossentropies = {crossentropy = true, ce = true}
local accuracies = {accuracy = true, acc = true}

-- Whether targets are for one probability, and whether they are class ids.
local function kind_of_targets(y_true, y_pred)
  local true_shape, pred_shape = y_true.shape, y_pred.shape
  local classes = pred_shape[#pred_shape]
  if classes == 1 then return "binary" end
  if #true_shape < #pred_shape or true_shape[#true_shape] == 1 and classes > 1 then
    return "sparse"
  end
  return "categorical"
end

--- What `compile` was given without the marks of a decoded file: plain tables, nothing for null.
function resolve.plain(value)
  if not kinds.is_plain(value) then return value end
  local result = {}
  for key, item in pairs(value) do
    if item ~= null then
      result[key] = resolve.plain(item)
    elseif type(key) == "number" then
      result[key] = false
    end
  end
  return result
end

--- Raises where a loss cannot be one.
function resolve.check_loss(identifier)
  if type(identifier) == "string" and crossentropies[plain.lower(identifier)] then return end
  if type(identifier) == "string" then return losses.get(identifier) end
  if losses.is_loss(identifier) or kinds.is_callable(identifier) then return end
  if structure.is_container(identifier) and identifier.class_name then
    return losses.get(identifier)
  end
  if Object.is_subclass(identifier, losses.Loss) then return end
  local meta = getmetatable(identifier)
  if type(meta) == "table" and meta.__call and not Object.is_subclass(identifier, Object) then
    return
  end
  errors.raise("compile: a loss should be a name, a function, or a Loss, got %s",
    errors.describe(identifier))
end

--- A Loss.
-- @param identifier name, function, class or object
-- @param y_true targets of the output
-- @param y_pred the output
-- @treturn Loss
function resolve.loss(identifier, y_true, y_pred)
  local name = type(identifier) == "string" and identifier or nil
  if name and crossentropies[plain.lower(name)] then
    local kind = kind_of_targets(y_true, y_pred)
    identifier = kind == "binary" and "binary_crossentropy"
      or kind == "sparse" and "sparse_categorical_crossentropy"
      or "categorical_crossentropy"
  end
  local found = losses.get(identifier)
  if losses.is_loss(found) then return found end
  return losses.of_function(found, name) or losses.LossFunctionWrapper{found, name = name or "loss"}
end

--- Raises where a metric cannot be one.
function resolve.check_metric(identifier)
  if type(identifier) == "string" then
    if not accuracies[plain.lower(identifier)] and not crossentropies[plain.lower(identifier)] then
      metrics.get(identifier)
    end
  elseif type(identifier) ~= "function" and type(identifier) ~= "table" then
    errors.raise("compile: a metric should be a name, a function, or a Metric, got %s",
      errors.describe(identifier))
  end
end

local accuracy_classes = {binary = "BinaryAccuracy", sparse = "SparseCategoricalAccuracy",
  categorical = "CategoricalAccuracy"}
local crossentropy_classes = {
  binary = "BinaryCrossentropy", sparse = "SparseCategoricalCrossentropy",
  categorical = "CategoricalCrossentropy",
}

--- A Metric.
-- @param identifier name, function, class or object
-- @param y_true targets of the output
-- @param y_pred the output
-- @treturn Metric
function resolve.metric(identifier, y_true, y_pred)
  if type(identifier) == "string" then
    local name = plain.lower(identifier)
    local classes = accuracies[name] and accuracy_classes
      or crossentropies[name] and crossentropy_classes
    local found
    if classes then
      found = metrics[classes[kind_of_targets(y_true, y_pred)]]{name = identifier}
    else
      found = metrics.get(identifier)
    end
    if Object.is_instance(found, metrics.Metric) then
      found.name = identifier
      return found
    end
    return metrics.MeanMetricWrapper{found, name = identifier}
  end
  local found = metrics.get(identifier)
  if Object.is_instance(found, metrics.Metric) then return found end
  local name = type(found) == "function" and registry.function_name(found) or nil
  if not name or name:find "^function_" then name = "metric" end
  return metrics.MeanMetricWrapper{found, name = name}
end

return resolve
