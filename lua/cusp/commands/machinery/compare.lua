--- What differs between two models: layers and their configurations, weights, training.
-- @module cusp.commands.machinery.compare
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local rooms = require "cusp.base.rooms"
local shapes = require "cusp.base.shape"

local compare = {}
local is_plain = kinds.is_plain

---------------------------------------------------------------- configurations

local function text_of(value)
  if value == nil then return "nothing" end
  if value == null then return "null" end
  if not is_plain(value) then return plain.tostring(value) end
  local text = require("cusp.formats.json").encode(value)
  return #text <= 60 and text or text:sub(1, 57) .. "..."
end

-- The class and the configuration of an object count; its module does not.
local ignored = {module = true, registered_name = true, build_config = true}

-- Names such as "mse" and "mean_squared_error".
local function same_function(where, a, b)
  local get = type(a) == "string" and type(b) == "string" and where:find "^training"
    and require("cusp.losses").get
  if not get then return false end
  local _, found = engine.attempt(get, a)
  local ok, other = engine.attempt(get, b)
  return ok and (found == other
    or type(found) == "table" and type(other) == "table" and found.__name == other.__name)
end

local function differ(lines, where, a, b)
  if a == b or same_function(where, a, b) then return end
  if not is_plain(a) or not is_plain(b) or (#a > 0) ~= (#b > 0) or #a ~= #b then
    lines[#lines + 1] = ("%s: %s → %s"):format(where, text_of(a), text_of(b))
    return
  end
  local keys = {}
  for _, value in ipairs{a, b} do
    for key in pairs(value) do keys[key] = true end
  end
  for _, key in ipairs(ordered.keys(keys)) do
    if not ignored[key] then differ(lines, where .. "." .. key, a[key], b[key]) end
  end
  for i = 1, #a do differ(lines, ("%s[%d]"):format(where, i), a[i], b[i]) end
end

-- The layers of a configuration by name, those of models within under paths.
local function list_layers(list, config, place)
  for _, layer in ipairs(is_plain(config.layers) and config.layers or {}) do
    local name = place .. tostring(layer.name or layer.config and layer.config.name)
    list[#list + 1] = {name = name, layer = layer}
    list[name] = layer
    if is_plain(layer.config) then list_layers(list, layer.config, name .. "/") end
  end
  return list
end

local function without(config, ...)
  local result = {}
  for key, value in pairs(config) do result[key] = value end
  for _, key in ipairs{...} do result[key] = nil end
  return result
end

-- An axis counted from the end is the same as one counted from the start.
local function with_counted_axis(layer)
  local config = without(layer.config, "layers")
  local build = layer.build_config
  local shape = is_plain(build) and build.input_shape
  local axis = is_plain(config.axis) and #config.axis == 1 and config.axis[1] or config.axis
  if math.type(axis) == "integer" and axis < 0 and is_plain(shape) then axis = #shape + axis end
  config.axis = axis
  return config
end

local function compare_layer(lines, name, a, b)
  if a.class_name ~= b.class_name then
    lines[#lines + 1] = ("layer %s: %s → %s"):format(name, a.class_name, b.class_name)
    return
  end
  differ(lines, "layer " .. name, with_counted_axis(a), with_counted_axis(b))
  local calls_a, calls_b = a.inbound_nodes or {}, b.inbound_nodes or {}
  if text_of(calls_a) ~= text_of(calls_b) then
    differ(lines, ("layer %s: calls"):format(name), calls_a, calls_b)
  end
end

local function configuration_of(model)
  return rooms.get("saving.configuration").of_model(model, {format = "keras3"})
end

--- Differences of structure.
-- @treturn {string,...}
function compare.structure(a, b)
  local lines = {}
  local config_a, config_b = configuration_of(a), configuration_of(b)
  local layers_a, layers_b = list_layers({}, config_a.config, ""), list_layers({}, config_b.config,
    "")
  if config_a.class_name ~= config_b.class_name then
    lines[1] = ("model: %s → %s"):format(config_a.class_name, config_b.class_name)
  end
  for _, entry in ipairs(layers_a) do
    local other = layers_b[entry.name]
    if other then compare_layer(lines, entry.name, entry.layer, other) else
      lines[#lines + 1] = ("layer %s (%s): only in the first"):format(entry.name,
        entry.layer.class_name)
    end
  end
  for _, entry in ipairs(layers_b) do
    if not layers_a[entry.name] then
      lines[#lines + 1] = ("layer %s (%s): only in the second"):format(entry.name,
        entry.layer.class_name)
    end
  end
  differ(lines, "model", without(config_a.config, "layers", "name"),
    without(config_b.config, "layers", "name"))
  return lines
end

---------------------------------------------------------------- weights

-- A weight's path below its layer.
local function own_name(layer, variable)
  local path = variable.path or variable.name
  local _, stop = path:find(layer.name .. "/", 1, true)
  return stop and path:sub(stop + 1) or variable.name
end

local function add_weights(list, layer, place, seen)
  for _, inner in ipairs(layer.__is_model and layer.layers or {}) do
    add_weights(list, inner, place .. inner.name .. "/", seen)
  end
  for _, variable in ipairs(layer.weights or {}) do
    if not seen[variable] then
      seen[variable] = true
      local name, number = place .. own_name(layer, variable), 0
      local unique = name
      while list[unique] do
        number = number + 1
        unique = ("%s_%d"):format(name, number)
      end
      list[unique] = variable.value
      list[#list + 1] = {name = unique, value = variable.value}
    end
  end
  return list
end

-- How two tensors of one shape differ, or nil.
local function difference(a, b, tolerance)
  if a.dtype == b.dtype and a:tobytes() == b:tobytes() then return nil end
  local rows = engine.ops
  local wide_a, wide_b = rows.cast(a, "float64"), rows.cast(b, "float64")
  local both_nan = rows.logical_and(rows.isnan(wide_a), rows.isnan(wide_b))
  local same = rows.logical_or(rows.equal(wide_a, wide_b), both_nan)
  local distance = rows.where(same, 0, rows.abs(rows.subtract(wide_a, wide_b)))
  local is_off = rows.logical_not(rows.less_equal(distance, tolerance))
  local count = rows.sum(rows.cast(is_off, "int64")):item()
  if count == 0 then return a.dtype ~= b.dtype and a.dtype .. " → " .. b.dtype or nil end
  return plain.format("%d of %d numbers differ, by up to %.3g", count,
    shapes.size(a.shape),
    rows.max(distance):item())
end

--- Differences of tensors by name.
-- @tparam table a list of `{name =, value =}`, also by name
-- @tparam table b
-- @tparam number tolerance
-- @tparam string what each is called in the lines
-- @treturn {string,...}
function compare.tensors(a, b, tolerance, what)
  local lines = {}
  local function add(name, text) lines[#lines + 1] = ("%s %s: %s"):format(what, name, text) end
  for _, entry in ipairs(a) do
    local other = b[entry.name]
    if other == nil then add(entry.name, "only in the first")
    elseif errors.shape(entry.value.shape) ~= errors.shape(other.shape) then
      add(entry.name, ("shape %s → %s"):format(errors.shape(entry.value.shape),
        errors.shape(other.shape)))
    else
      local text = difference(entry.value, other, tolerance)
      if text then add(entry.name, text) end
    end
  end
  for _, entry in ipairs(b) do
    if a[entry.name] == nil then add(entry.name, "only in the second") end
  end
  return lines
end

--- Differences of weights.
function compare.weights(a, b, tolerance)
  return compare.tensors(add_weights({}, a, "", {}), add_weights({}, b, "", {}), tolerance,
    "weight")
end

---------------------------------------------------------------- training

local function optimizer_tensors(model)
  local list = {}
  for i, variable in ipairs(model.compiled and model.optimizer and model.optimizer.built
    and model.optimizer.variables or {}) do
    local name = ("%d (%s)"):format(i, variable.path or variable.name)
    list[#list + 1] = {name = name, value = variable.value}
    list[name] = variable.value
  end
  return list
end

-- State that only this library's files keep, such as that of random layers.
local function state_tensors(model)
  local list = {}
  for _, part in ipairs(require("cusp.saving.shared.paths").of(model, false)) do
    for i, variable in ipairs(part.kind == "generator" and part.variables or {}) do
      local name = ("%s/%d"):format(part.path, i)
      list[#list + 1] = {name = name, value = variable.value}
      list[name] = variable.value
    end
  end
  return list
end

--- Differences of what `compile` was given and of the optimizer's state.
function compare.training(a, b, tolerance)
  if not a.compiled and not b.compiled then return {} end
  if not a.compiled or not b.compiled then
    return {("training: only the %s is compiled"):format(a.compiled and "first" or "second")}
  end
  local lines = {}
  differ(lines, "training", configuration_of(a).compile_config, configuration_of(b).compile_config)
  local ours, theirs = optimizer_tensors(a), optimizer_tensors(b)
  if (#ours == 0) ~= (#theirs == 0) then
    local which = #ours > 0 and "first" or "second"
    lines[#lines + 1] = ("optimizer state: only in the %s"):format(which)
    return lines
  end
  local optimizer = compare.tensors(ours, theirs, tolerance, "optimizer variable")
  table.move(optimizer, 1, #optimizer, #lines + 1, lines)
  return lines
end

--- Differences of the state of random layers.
function compare.random_state(a, b)
  return compare.tensors(state_tensors(a), state_tensors(b), 0, "random state")
end

return compare
