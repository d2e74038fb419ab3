--- Optimizers, which update variables from gradients.
-- @module cusp.optimizers
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local namespace = require "cusp.base.namespace"
local plain = require "cusp.base.plain"

local optimizers = namespace.of_objects(namespace.new("cusp.optimizers", {
  Adadelta = "adadelta", Adafactor = "adafactor", Adagrad = "adagrad", Adam = "adam",
  AdamW = "adamw", Adamax = "adamax", Ftrl = "ftrl",
  Lamb = "lamb", Lion = "lion", LossScaleOptimizer = "loss_scale_optimizer", Muon = "muon",
  MultiOptimizer = "multi_optimizer", OptimizerMap = "optimizer_map",
  Nadam = "nadam", Optimizer = "optimizer",
  RMSprop = "rmsprop", SGD = "sgd", ScheduleFreeAdamW = "schedule_free_adamw",
  schedules = "schedules",
}), {what = "optimizer", module = "keras.optimizers"})

-- TF 2.15 writes its classes as "Custom>Adam" in HDF5 files; names are matched in lower case, as in
-- Keras.
local function canonical(name)
  name = name:match ">(.+)$" or name
  for _, known in ipairs(namespace.names(optimizers)) do
    if plain.lower(known) == plain.lower(name) then return known end
  end
  return name
end

local get, deserialize = optimizers.get, optimizers.deserialize

--- Looks up an optimizer by name ("adam", "SGD") or serialised form; returns instances unchanged.
-- @raise for an unknown name, with the nearest one
function optimizers.get(identifier)
  if Object.is_instance(identifier, optimizers.Optimizer) then return identifier end
  if type(identifier) == "string" then identifier = canonical(identifier) end
  local found = get(identifier)
  if found ~= nil and not Object.is_instance(found, optimizers.Optimizer) then
    errors.raise("expected an optimizer or its name, got %s", errors.describe(identifier))
  end
  return found
end

--- Makes an optimizer from its serialised form.
function optimizers.deserialize(config, custom_objects)
  if type(config) == "table" and type(config.class_name) == "string"
    and canonical(config.class_name) ~= config.class_name then
    local copy = {}
    for key, value in pairs(config) do copy[key] = value end
    copy.class_name = canonical(config.class_name)
    config = copy
  end
  return deserialize(config, custom_objects)
end

return optimizers
