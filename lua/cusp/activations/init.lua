--- Activation functions, by name or as functions of a tensor.
-- @module cusp.activations
-- @usage layers.Dense{32, activation = "relu"}
-- layers.Dense{32, activation = function(x) return x:tanh() * 2 end}
local absent = require "cusp.base.absent"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local generation = require "cusp.base.generation"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local nulls = require "cusp.base.nulls"
local registry = require "cusp.base.registry"

local own = {keras2_hard_sigmoid = true, relu = true, gelu = true, linear = true,
  exponential = true, mish = true}
local from_ops = {
  celu = true, elu = true, glu = true, hard_shrink = true, hard_sigmoid = true, hard_silu = true,
  hard_swish = true, hard_tanh = true,
  leaky_relu = true, log_sigmoid = true, log_softmax = true, relu6 = true, selu = true,
  sigmoid = true, silu = true, soft_shrink = true,
  softmax = true, softplus = true, softsign = true, sparse_plus = true, sparse_sigmoid = true,
  sparsemax = true, squareplus = true,
  swish = true, tanh = true, tanh_shrink = true, threshold = true,
}
-- Aliases and the canonical name.
local written = {swish = "silu", hard_swish = "hard_silu"}

local function load(space, name)
  local f
  if own[name] then f = require("cusp.activations.functions")[name]
  elseif from_ops[name] then f = require("cusp.ops")[name] end
  if not f then return absent.note(space, name) end
  rawset(space, name, f)
  registry.name_function(f, written[name] or name)
  return f
end

local activations = setmetatable({}, {__index = load, __pairs = absent.pairs,
  __name = "cusp.activations", __members = {}})
do
  local members = getmetatable(activations).__members
  for _, names in ipairs{own, from_ops} do
    for name in pairs(names) do members[name] = true end
  end
end

local function names()
  return getmetatable(activations).__members
end

-- A class is callable too, but is no activation.
local function is_activation(value)
  return kinds.is_callable(value) and not Object.is_subclass(value, Object)
end

--- Looks up an activation by name, function, layer or serialised form; `linear` for nil.
-- @treturn function
-- @raise for an unknown name
function activations.get(identifier)
  if identifier == nil or nulls.is(identifier) then return activations.linear end
  if type(identifier) == "string" then
    local found = registry.find_custom(identifier) or activations[identifier]
    if type(found) == "function" or is_activation(found) then return found end
    errors.raise("there is no activation named '%s'%s", identifier,
      errors.suggestion(identifier, names()))
  end
  if generation.is_hard_sigmoid_form(identifier) then return activations.keras2_hard_sigmoid end
  if kinds.is_plain(identifier) and identifier.class_name then
    return activations.deserialize(identifier)
  end
  if is_activation(identifier) then return identifier end
  errors.raise("expected an activation function or its name, got %s", errors.describe(identifier))
end

--- The name of an activation, or the serialised form of a user's function or object.
function activations.serialize(activation)
  if activation == nil or activation == null then return null end
  if type(activation) == "string" then return activation end
  if activation == rawget(activations, "keras2_hard_sigmoid") then
    return generation.hard_sigmoid_form()
  end
  for name in pairs(names()) do
    if rawget(activations, name) == activation then return written[name] or name end
  end
  return registry.serialize(activation)
end

--- The activation of a serialised form (a name or a table).
-- @tparam string|table config
-- @tparam[opt] table custom_objects
function activations.deserialize(config, custom_objects)
  if type(custom_objects) == "table" and custom_objects.custom_objects then
    custom_objects = custom_objects.custom_objects
  end
  if type(config) == "string" then
    return registry.with_custom_objects(custom_objects, activations.get, config)
  end
  return registry.deserialize(config,
    {module = "keras.activations", custom_objects = custom_objects})
end

return activations
