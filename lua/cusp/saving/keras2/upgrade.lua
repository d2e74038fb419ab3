--- Configurations in TF 2.0's form from Keras 3's, and Keras 2's read as Keras 3's.
--
-- Objects give Keras 3's form (`get_config`); what was called or ordered otherwise in TF 2.0 stands
-- in `keras2_table`, and both directions read it there.
-- @module cusp.saving.keras2.upgrade
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local generation = require "cusp.base.generation"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"
local shapes = require "cusp.base.shape"
local table_of = require "cusp.saving.keras2.table"
local warnings = require "cusp.base.warnings"

local keras2 = {}
local is_plain = kinds.is_plain
local KERAS2_HARD_SIGMOID = "keras2_hard_sigmoid"

---------------------------------------------------------------- the table's texts

local literals = {null = null, ["true"] = true, ["false"] = false}

local function default_of(text)
  if text == "" then return nil end
  if literals[text] ~= nil then return literals[text] end
  return plain.tonumber(text) or text
end

--- One word of the table: `name`, `of` (Keras 3's name), `conversion`, `unless` (the value that is
-- not written), `keras3` (not written).
local function parse_item(text)
  local minus, name, of, conversion, mark,
    default = text:match "^(%-?)([%w_]+)<?([%w_]*):?([%w_]*)(%??)(.*)$"
  return {
    name = name, of = of ~= "" and of or name, conversion = conversion ~= "" and conversion or nil,
    keras3 = minus ~= "", optional = mark ~= "", unless = default_of(default),
  }
end

local parsed = {} -- text → items

local function items_of(text)
  if not parsed[text] then
    local items = {}
    for word in text:gmatch "%S+" do items[#items + 1] = parse_item(word) end
    parsed[text] = items
  end
  return parsed[text]
end

local spaces = {
  ["keras.layers"] = "layers", ["keras.initializers"] = "initializers",
  ["keras.regularizers"] = "regularizers",
  ["keras.constraints"] = "constraints", ["keras.optimizers"] = "optimizers",
  ["keras.optimizers.schedules"] = "schedules",
  ["keras.losses"] = "losses", ["keras.metrics"] = "metrics",
}

local function space_of(module)
  return type(module) == "string" and table_of[spaces[module]] or nil
end

---------------------------------------------------------------- writing: conversions

local conversions = {}

--- What Keras keeps in a float32 constant or variable is written with that precision.
function conversions.float32(value)
  if type(value) ~= "number" then return value end
  return (("f"):unpack(("f"):pack(value)))
end

--- A dtype policy is its name.
function conversions.policy_name(value, node)
  if is_plain(value) and value.class_name and value.class_name ~= "DTypePolicy" then
    errors.raise("%s (%s): the form of tf.keras 2 has no quantized layers; save the model as "
      .. ".keras, or its weights", node.config.name or "?", node.class_name)
  end
  if is_plain(value) and is_plain(value.config) then return value.config.name end
  return value
end

--- Layers of categories had the dtype of what they give.
function conversions.category_dtype(value, node)
  return node.config.output_mode == "int" and "int64" or conversions.policy_name(value, node)
end

--- TF 2's TextVectorization says what it takes.
function conversions.string_dtype() return "string" end

--- TF 2 takes a number of bins or boundaries, also where they were learned.
function conversions.unless_boundaries(value, node)
  return is_plain(node.config.bin_boundaries) and null or value
end

local function input_rank(node)
  local shape = is_plain(node.build_config) and node.build_config.input_shape
  return is_plain(shape) and not is_plain(shape[1]) and #shape or nil
end

--- The axes of a normalization as TF 2.0's layers keep them once they are built: a list counted
-- from the front.
function conversions.positive_axes(value, node)
  local rank = input_rank(node)
  local axes = is_plain(value) and value or {value}
  if not rank or type(axes[1]) ~= "number" then return value end
  local result = {}
  for i, axis in ipairs(axes) do result[i] = axis < 0 and rank + axis or axis end
  return result
end

local function attention_shape(key, fallback)
  return function(_, node)
    local shapes_dict = is_plain(node.build_config) and node.build_config.shapes_dict
    return is_plain(shapes_dict) and (shapes_dict[key] or shapes_dict[fallback]) or null
  end
end
conversions.query_shape = attention_shape "query_shape"
conversions.value_shape = attention_shape "value_shape"
conversions.key_shape = attention_shape("key_shape", "value_shape")

--- The layer that a Bidirectional was given: Keras 3 writes its forward copy, with the name and the
-- flag that the copy got.
function conversions.forward_layer(value)
  if not is_plain(value) or not is_plain(value.config) then return value end
  local config = value.config
  if type(config.name) == "string" then config.name = config.name:gsub("^forward_", "") end
  config.zero_output_for_mask = nil
  return value
end

--- TF 2 writes the backward layer only where it was given.
function conversions.given_backward(value, node)
  local layer = registry.origin(node)
  if layer and not layer.__own.given_backward then return nil end
  return value
end

function conversions.if_renorm(value, node)
  if node.config.renorm == true then return value end
  return nil
end

--- "adam" and "rm_sprop_2", which Keras 3 gives to optimizers without a name, are Keras 2's "Adam"
-- and "RMSprop".
function conversions.optimizer_name(value, node)
  local bare = type(value) == "string" and plain.lower(value):gsub("_%d+$", ""):gsub("_", "")
  return bare == plain.lower(node.class_name) and node.class_name or value
end

function conversions.schedule_name(value, node)
  return value == node.class_name and null or value
end

---------------------------------------------------------------- writing

local convert

local function same(value, default)
  if value == default then return true end
  if not is_plain(value) or #value == 0 then return false end
  for i = 1, #value do
    if value[i] ~= default then return false end
  end
  return true
end

local function says_nothing(value)
  return value == null or value == false or is_plain(value) and next(value) == nil
end

local function given_batch_shape(node)
  local layer = registry.origin(node)
  local shape = layer and layer.__own.batch_input_shape
  if not shape then return nil end
  local result = {}
  for i = 1, #shape do result[i] = shape[i] == shapes.None and null or shape[i] end
  return result
end

local function value_for(item, node, fixed)
  local value = node.config[item.of]
  if item.name == "batch_input_shape" and item.of == item.name then
    value = given_batch_shape(node)
  end
  if value == nil then value = fixed[item.name] end
  if value == nil and not item.optional then value = null end
  return value
end

--- Keras 3 looks for layers within layers by their module.
local function with_module(node, written, state)
  if not state.common or not is_plain(node) or node.module ~= "keras.layers"
    or not is_plain(written) then
    return written
  end
  return ordered.object({module = node.module, class_name = written.class_name,
    config = written.config, registered_name = null},
    {"module", "class_name", "config", "registered_name"})
end

local function write_item(result, item, node, fixed, state)
  if item.keras3 or state.common and not fixed.required and fixed[item.name] ~= nil
    and node.config[item.of] == nil then
    return
  end
  local value = value_for(item, node, fixed)
  if value == nil or item.optional and item.unless ~= nil and same(value, item.unless) then
    return
  end
  value = with_module(value, convert(value, state), state)
  local change = item.conversion and conversions[item.conversion]
  if change then value = change(value, node) end
  ordered.set(result, item.name, value)
end

local function write_rest(result, items, node, state, keep_all)
  local mentioned = {}
  for _, list in ipairs(items) do
    for _, item in ipairs(list) do mentioned[item.of] = true end
  end
  for _, key in ipairs(ordered.keys(node.config)) do
    local value = node.config[key]
    if not mentioned[key] and (keep_all or not says_nothing(value)) then
      ordered.set(result, key, convert(value, state))
    end
  end
end

local nothing = {}

local function fixed_values(space, entry)
  local result = {}
  for _, fixed in ipairs{space.fixed or nothing, entry.fixed or nothing} do
    for key, value in pairs(fixed) do result[key] = value end
  end
  result.required = entry.required
  return result
end

local function write_known(space, entry, node, state)
  local result, fixed = ordered.object(), fixed_values(space, entry)
  local items = {entry.no_base and nothing or items_of(space.base), items_of(entry[1] or "")}
  for _, list in ipairs(items) do
    for _, item in ipairs(list) do write_item(result, item, node, fixed, state) end
  end
  write_rest(result, items, node, state, space.any)
  return result
end

--- A class that TF 2.0 did not know, or the program's own: all its keys, those of every layer
-- first.
local function write_other(node, state)
  local result, items = ordered.object(), {}
  local layer = registry.origin(node)
  if layer and layer.__is_layer then
    items = items_of(table_of.layers.base)
    for _, item in ipairs(items) do
      if node.config[item.of] ~= nil or item.name == "batch_input_shape" then
        write_item(result, item, node, nothing, state)
      end
    end
  end
  write_rest(result, {items}, node, state, true)
  return result
end

local function is_missing(value) return value == nil or value == null end

local function class_name_of(node, entry, space)
  if type(node.registered_name) == "string" and node.registered_name:find(">", 1, true) then
    return node.registered_name
  end
  local name = entry and entry.class or node.class_name
  return space and space.package and space.package .. ">" .. name or name
end

local function write_object(node, state)
  if not is_plain(node.config) then -- a function: its name
    local registered = node.registered_name
    return type(registered) == "string" and registered:find(">", 1, true) and registered
      or node.config
  end
  local space = is_missing(node.registered_name) and space_of(node.module) or nil
  if space and space == table_of.optimizers and state.optimizers then
    space = table_of[state.optimizers]
  end
  local entry = space and (space.classes[node.class_name] or space.any and {})
  local config = entry and write_known(space, entry, node, state) or write_other(node, state)
  return ordered.object({class_name = class_name_of(node, entry, space), config = config},
    {"class_name", "config"})
end

local function convert_items(value, state)
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = convert(item, state) end
  return result
end

local function is_model(node)
  local config = node.config
  if not is_plain(config) or not is_plain(config.layers) then return nil end
  if node.class_name == "Sequential" then return "sequential" end
  return is_plain(config.input_layers) and "functional" or nil
end

local function convert_node(node, state)
  if generation.is_hard_sigmoid_form(node) then
    state.keras2_hard_sigmoid = true
    return KERAS2_HARD_SIGMOID
  end
  if node.class_name == "DTypePolicy" then return node.config.name end
  local kind = is_model(node)
  if kind then
    return require("cusp.saving.keras2.graph")["write_" .. kind](node, convert, state)
  end
  return write_object(node, state)
end

function convert(value, state)
  if type(value) == "string" then return value end
  if value == null or not is_plain(value) then return value end
  if type(value.class_name) == "string" and value.config ~= nil then
    return convert_node(value, state)
  end
  return convert_items(value, state)
end

local function convert_activations(value, state)
  if not is_plain(value) or value == null then return value end
  for key, item in pairs(value) do
    if key == "activation" or key == "recurrent_activation" then
      if item == "hard_sigmoid" then state.present_hard_sigmoid = true end
      if item == KERAS2_HARD_SIGMOID then value[key] = "hard_sigmoid" end
      value[key] = table_of.activations[item] or value[key]
    end
    convert_activations(item, state)
  end
  return value
end

--- The version that the form is of: one function that Keras 2 has under the same name otherwise
-- makes it Keras 3's.
local function version_of(state)
  if not state.present_hard_sigmoid then return nil end
  if state.keras2_hard_sigmoid then
    errors.raise("this form cannot hold both Keras 2's hard_sigmoid and Keras 3's, which have "
      .. "the same name there; save it as .keras")
  end
  warnings.warn("hard_sigmoid is relu6(x + 3) / 6 here and in Keras 3, but TensorFlow 2 would "
    .. "compute clip(0.2 x + 0.5, 0, 1)")
  return "3.15.1"
end

--- TF 2.0's form of a serialised object, or of a structure of them.
-- @param tree Keras 3's form, as `registry.serialize` gives it
-- @tparam[opt] table options `input_layers`: Sequential models write their input as a layer, as TF
-- 2.2 and later do; `common`: without keys that Keras 3 does not take and that say nothing to TF 2
-- either; `optimizers = "legacy_optimizers"`: optimizers as TF 2.0 to 2.10 had them
-- @return a new structure; the given one may share parts with it and is not to be used afterwards
-- @treturn ?string the `keras_version` that it has to be written with, if it is not TF 2's
function keras2.of(tree, options)
  local state = setmetatable({}, {__index = options})
  local result = convert_activations(convert(tree, state), state)
  return result, version_of(state)
end

---------------------------------------------------------------- reading

local function rename(config, items)
  for _, item in ipairs(items) do
    if item.of ~= item.name and config[item.name] ~= nil and config[item.of] == nil then
      config[item.of], config[item.name] = config[item.name], nil
    end
  end
end

-- These keys of Keras 2 the layers read themselves.
local kept = {batch_input_shape = true}

-- Keys whose other values change what a layer computes, and that no layer here has.
local function check_fixed(config, class)
  if config.time_major == true then
    errors.raise(
      "%s: time_major = true is not supported: put the batch first (ops.transpose) and leave it "
      .. "out", class.__name)
  end
end

local function drop_fixed(config, fixed, declared)
  for key in pairs(fixed or {}) do
    if not declared[key] and not kept[key] then config[key] = nil end
  end
end

local readers = {}

function readers.positive_axes(config, key)
  local axes = config[key]
  if is_plain(axes) and #axes == 1 then config[key] = axes[1] end
end

function readers.optimizer_name(config, key, class)
  if config[key] == class.__name then config[key] = nil end
end

-- A learning rate that is a function, written by its name.
function readers.float32(config, key)
  if type(config[key]) == "string" then
    config[key] = {class_name = "function", config = config[key]}
  end
end

function readers.schedule_name(config, key)
  if config[key] == null then config[key] = nil end
end

function readers.reduction(config, key)
  if config[key] == "auto" then config[key] = "sum_over_batch_size" end
end

-- Before Keras 2.3 the rate had a short name, epsilon could be null for the default, and Adagrad
-- began with sums of 0.
local function read_short_rate(config, class)
  if config.lr == nil or config.learning_rate ~= nil then return end
  config.learning_rate, config.lr = config.lr, nil
  if config.epsilon == null then config.epsilon = nil end
  if class.__name == "Adagrad" and config.initial_accumulator_value == nil then
    config.initial_accumulator_value = 0.0
  end
end

--- The decay of TF 2.0's optimizers, a rate that falls with every step; Nadam's was that of its
-- momenta. Only these optimizers have the key, and two of them added epsilon to the root, not below
-- it.
local function read_decay(config, class)
  local decay, rate = config.decay, config.learning_rate
  local schedule_decay = config.schedule_decay
  local is_legacy = decay ~= nil or schedule_decay ~= nil
  config.decay, config.schedule_decay = nil, nil
  if not is_legacy then return end
  if class.__name == "Nadam" then config.schedule_decay = tonumber(schedule_decay or decay) end
  local beside = class.__name == "Adagrad"
    or class.__name == "RMSprop" and (config.momentum or 0) == 0
  if beside then config.epsilon_beside_root = true end
  if type(decay) ~= "number" or decay == 0 or class.__name == "Nadam" or type(rate) ~= "number" then
    return
  end
  config.learning_rate = {
    module = "keras.optimizers.schedules", class_name = "InverseTimeDecay",
    config = {initial_learning_rate = rate, decay_steps = 1, decay_rate = decay, staircase = false},
  }
end

-- The layouts that other implementations give to the weights are converted with the weights.
function readers.local_implementation(config, key, class)
  if config[key] == 1 then return end
  if config.padding ~= nil and config.padding ~= "valid" then
    errors.raise("%s: padding = \"%s\" (with implementation = %s) is not supported, only \"valid\"",
      class.__name, tostring(config.padding), tostring(config[key]))
  end
  config[key] = 1
end

local function upgrade_items(config, items, class, declared)
  rename(config, items)
  for _, item in ipairs(items) do
    local read = item.conversion and readers[item.conversion]
    if read and config[item.of] ~= nil then read(config, item.of, class) end
    local unknown = item.optional and item.unless ~= nil and not declared[item.of]
    if unknown and config[item.of] ~= nil and same(config[item.of], item.unless) then
      config[item.of] = nil
    end
  end
end

---------------------------------------------------------------- Lambda

local function is_bytecode(value)
  if not is_plain(value) then return false end
  return value.class_name == "__lambda__" or value.class_name == nil and type(value[1]) == "string"
end

--- A function of Python's bytes, as the program gives it under the layer's name.
local function given_function(name, key)
  local given = registry.find_custom(name)
  if type(given) == "function" then return given end
  local where = type(name) == "string" and name:find "^[%a_][%w_]*$" and name
    or ("[%q]"):format(tostring(name))
  errors.raise("%s is Python's byte code, which is not run here; write it in Lua and pass it under "
    .. "the layer's name: custom_objects = {%s = function(x) ... end}", key, where)
end

local function check_name(value)
  if type(value) ~= "string" or registry.find(value, "activations") then return end
  errors.raise("there is no function named '%s'; pass custom_objects = {%s = function(x) ... end}",
    value, value)
end

-- Keras 2's keys beside each function say how it is written.
local function read_lambda(config)
  check_name(config["function"])
  for _, key in ipairs{"function", "output_shape", "mask"} do
    local value = config[key]
    if is_bytecode(value) then
      config[key] = key == "function" and given_function(config.name, key) or nil
    elseif key ~= "function" and type(value) == "string" then
      config[key] = registry.find_custom(value) -- found by running the function where it is unknown
    end
    config[key .. "_type"], config[key .. "_module"] = nil, nil
  end
  config.module = nil
end

--- A form of a class that Keras 2 had under another name, as the class that it is here.
-- @tparam table form
-- @treturn ?table nil where the class is not known either
function keras2.older_class(form)
  local name = type(form.class_name) == "string" and form.class_name:match "[^>]+$"
  local older = table_of.older_classes[name]
  if not older or not is_plain(form.config) then return nil end
  local result, config = {}, {}
  for key, value in pairs(form) do result[key] = value end
  for key, value in pairs(form.config) do config[key] = value end
  for key, value in pairs(older) do
    if key ~= 1 then config[key] = value end
  end
  result.class_name, result.config, result.module = older[1], config, "keras.layers"
  result.registered_name = nil
  return result
end

--- A configuration of a library class as its present `from_config` reads it; Keras 3's own comes
-- through unchanged.
-- @tparam table class
-- @tparam table config left as it is
-- @treturn table
function keras2.upgrade(class, config)
  local space = space_of(class.__module)
  if not space or #config > 0 then return config end
  local entry = space.classes[class.__name] or {}
  local result = ordered.is_object(config) and ordered.object({}, ordered.keys(config)) or {}
  for key, value in pairs(config) do result[key] = value end
  local declared = arguments.declaration(class).named
  check_fixed(result, class)
  drop_fixed(result, space.fixed, declared)
  drop_fixed(result, entry.fixed, declared)
  drop_fixed(result, entry.passed_over, declared)
  upgrade_items(result, items_of(space.base), class, declared)
  upgrade_items(result, items_of(entry[1] or ""), class, declared)
  if class.__name == "Lambda" then read_lambda(result) end
  if space == table_of.optimizers then
    read_short_rate(result, class)
    read_decay(result, class)
  end
  return result
end

return keras2
