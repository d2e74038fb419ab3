--- The generation of Keras whose configuration is being read, and the meaning of names and defaults
-- in it.
--
-- `hard_sigmoid` was `clip(0.2 x + 0.5, 0, 1)` until Keras 3 made it `relu6(x + 3) / 6`; it was the
-- default of the recurrent layers of Keras before 2.3 and of ConvLSTM in all of Keras 2.
-- `reset_after` of GRU was false until TensorFlow 2.
-- @module cusp.base.generation
local engine = require "cusp.engine"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"

local generation = {}

local current -- nil for the present generation

-- Standalone Keras ended with 2.3. TensorFlow reported "2.1.6-tf" before TensorFlow 2, "2.2.4-tf"
-- at its beginning, then "2.4.0".
local function parse(version)
  if type(version) ~= "string" then return nil end
  local major, minor = version:match "^(%d+)%.(%d+)"
  major, minor = tonumber(major), tonumber(minor)
  if not major or major >= 3 then return nil end
  if major < 2 then minor = 0 end
  local of_tensorflow2 = minor >= 4 or version:find("tf", 1, true) and minor >= 2
  return {hard_gates = not of_tensorflow2 and minor < 3, resets_before = not of_tensorflow2}
end

-- Keys that Keras 1 had and Keras 2 renamed.
local keras1_keys = {
  nb_filter = true, nb_row = true, border_mode = true, dim_ordering = true, inner_activation = true,
  W_regularizer = true, inner_init = true, pool_length = true, subsample = true,
}

local function has_keras1_keys(value, depth)
  if not kinds.is_plain(value) or depth > 20 then return false end
  for key, item in pairs(value) do
    if keras1_keys[key] or has_keras1_keys(item, depth + 1) then return true end
  end
  return false
end

--- Whether a model's configuration is of Keras 1, by its version or its keys.
function generation.is_keras1(config, version)
  if type(version) == "string" then return version:find "^[01]%." ~= nil end
  return has_keras1_keys(config, 0)
end

--- Calls `f` with the names of a version's generation in effect.
-- @param version what the file says: "2.15.0", "2.2.4-tf"; anything else means the present
-- generation
-- @tparam function f
-- @param ... its arguments
-- @return its results
function generation.within(version, f, ...)
  local outer = current
  current = parse(version)
  local results = table.pack(engine.attempt(f, ...))
  current = outer
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function is_hard_sigmoid(value)
  if kinds.is_plain(value) and value.class_name == "function" then value = value.config end
  return value == "hard_sigmoid"
end

local gated = {LSTM = true, LSTMCell = true, GRU = true, GRUCell = true}

-- Defaults of a class where the file gives no value.
local function add_defaults(class_name, config)
  local by_default = gated[class_name] and current.hard_gates or class_name:find "^ConvLSTM%dD"
  if by_default and config.recurrent_activation == nil then
    config.recurrent_activation = "hard_sigmoid"
  end
  if class_name:find "^GRU" and config.reset_after == nil then
    config.reset_after = not current.resets_before
  end
end

--- A class's configuration with the meanings of the present generation.
-- @tparam string class_name
-- @tparam table config not changed
-- @treturn table
function generation.present(class_name, config)
  if not current then return config end
  local result = ordered.is_object(config) and ordered.object({}, ordered.keys(config)) or {}
  for key, value in pairs(config) do result[key] = value end
  add_defaults(class_name, result)
  for key, value in pairs(result) do
    if type(key) == "string" and key:find "activation$" and is_hard_sigmoid(value) then
      result[key] = "keras2_hard_sigmoid"
    end
  end
  return result
end

---------------------------------------------------------------- hard_sigmoid of Keras 2 in Keras
---------------------------------------------------------------- 3's terms

local function layer(class_name, name, config, keys)
  local policy = {module = "keras", class_name = "DTypePolicy", config = {name = "float32"},
    registered_name = null}
  config.name, config.trainable, config.dtype = name, true, policy
  return ordered.object({
    module = "keras.layers", class_name = class_name,
    config = ordered.object(config, {"name", "trainable", "dtype", table.unpack(keys)}),
    registered_name = null,
  }, {"module", "class_name", "config", "registered_name"})
end

--- The form of Keras 2's hard_sigmoid: a small model, since Keras 3 has no function that computes
-- it.
-- @treturn table
function generation.hard_sigmoid_form()
  local form = layer("Sequential", "keras2_hard_sigmoid", {layers = {
    layer("Rescaling", "rescaling", {scale = 0.2, offset = 0.5}, {"scale", "offset"}),
    layer("ReLU", "re_lu", {max_value = 1.0, negative_slope = 0.0, threshold = 0.0},
      {"max_value", "negative_slope", "threshold"}),
  }}, {"layers"})
  form.module = "keras"
  return form
end

local function has_values(form, class_name, values)
  if not kinds.is_plain(form) or form.class_name ~= class_name
    or not kinds.is_plain(form.config) then
    return false
  end
  for key, value in pairs(values) do
    if form.config[key] ~= value then return false end
  end
  return true
end

--- Whether a serialised form is that model.
function generation.is_hard_sigmoid_form(form)
  if not has_values(form, "Sequential", {name = "keras2_hard_sigmoid"}) then return false end
  local layers = form.config.layers
  return kinds.is_plain(layers) and #layers == 2
    and has_values(layers[1], "Rescaling", {scale = 0.2, offset = 0.5})
    and has_values(layers[2], "ReLU", {max_value = 1, negative_slope = 0, threshold = 0})
end

return generation
