--- Weights in the layout of tf.keras 2: a group per layer, named after it, whose attribute
-- `weight_names` lists datasets. Format: Keras's `hdf5_format` (tf.keras 2.15) and
-- `legacy_h5_format` (Keras 3); both read the files written here.
-- @module cusp.saving.hdf5.weights

local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local name_lists = require "cusp.saving.hdf5.name_lists"
local older_weights = require "cusp.saving.hdf5.older_weights"
local stored = require "cusp.saving.shared.stored"
local weight_names = require "cusp.saving.hdf5.weight_names"

local hdf5_weights = {}

--- The version and backend to write: those of the newest Keras that had only this layout.
hdf5_weights.version, hdf5_weights.backend = "2.15.0", "tensorflow"

local TOP = "top_level_model_weights"

---------------------------------------------------------------- writing

local function write_variables(group, variables, names)
  local list = {}
  for i, variable in ipairs(variables) do list[i] = names[variable] .. ":0" end
  list = weight_names.unique(list)
  name_lists.write(group, "weight_names", list)
  for i, variable in ipairs(variables) do group:create_dataset(list[i], variable) end
end

--- Writes a model's weights into a group.
-- @tparam cusp.hdf5.NewGroup group
-- @tparam Model model
function hdf5_weights.write(group, model)
  local layers = model.layers
  name_lists.write(group, "layer_names", lists.pick(layers, "name"))
  group.attributes:set("backend", hdf5_weights.backend, {charset = "ascii"})
  group.attributes:set("keras_version", hdf5_weights.version, {charset = "ascii"})
  for _, layer in ipairs(layers) do
    write_variables(group:create_group(layer.name), weight_names.variables(layer),
      weight_names.of_layer(layer))
  end
  write_variables(group:create_group(TOP), model:own_variables(), weight_names.of_model(model))
end

---------------------------------------------------------------- reading

local function group_at(path, parent, name)
  local found = parent:get(name)
  if found == nil then
    errors.raise("%s: %s: the group '%s' is missing", path, parent.name, name)
  end
  if found.kind ~= "group" then
    errors.raise("%s: %s: expected a group, got a dataset", path, found.name)
  end
  return found
end

local function read_values(path, group)
  local values = {}
  for i, name in ipairs(name_lists.read(path, group, "weight_names")) do
    local dataset = group:get(name)
    if dataset == nil then
      errors.raise("%s: %s: the listed weight '%s' is missing", path, group.name, name)
    end
    if dataset.kind ~= "dataset" then
      errors.raise("%s: %s: expected a weight, got a group", path, dataset.name)
    end
    values[i] = stored.of_dataset(path, dataset)
  end
  return values
end

--- Reads the contents of a group.
-- @tparam string path of the file, for messages
-- @tparam cusp.hdf5.Group group
-- @treturn table `path`, `where`; `backend` and `keras_version` as it has them; `layers`: a list of
-- `{name =, values = ...}`; `top`: values of the model's own variables
-- @raise where lists, groups or datasets are missing or of another kind
function hdf5_weights.read(path, group)
  local contents = {path = path, backend = group.attributes:get "backend",
    keras_version = group.attributes:get "keras_version",
    where = group.name == "/" and path or ("%s: %s"):format(path, group.name), layers = {}}
  for i, name in ipairs(name_lists.read(path, group, "layer_names")) do
    contents.layers[i] = {name = name, values = read_values(path, group_at(path, group, name))}
  end
  local top = group:get(TOP)
  if top and top.kind == "group" then contents.top = read_values(path, top) end
  return contents
end

--- Reads all values into memory, for use after the file is closed.
function hdf5_weights.keep(contents)
  for _, layer in ipairs(contents.layers) do
    for _, value in ipairs(layer.values) do stored.keep(value) end
  end
  for _, value in ipairs(contents.top or {}) do stored.keep(value) end
  return contents
end

--- Whether a group is in this layout.
function hdf5_weights.is_layout(group) return name_lists.has(group, "layer_names") end

---------------------------------------------------------------- matching

local function complain(options, format, ...)
  if not options.skip_mismatch then errors.raise(format, ...) end
  stored.warn(format, ...)
end

--- Pairs the values of one layer's group with its variables, or with a list of variables.
local function add_values(plan, contents, what, layer, values, options)
  local variables = layer.own_variables and weight_names.variables(layer) or layer
  if layer.own_variables then
    values = older_weights.present(contents, layer, variables, values)
  end
  if #variables ~= #values then
    local advice = options.skip_mismatch and "they are skipped"
      or "load with skip_mismatch = true to leave them out"
    return complain(options, "%s: %s has %d weights, the file has %d of it; %s", contents.where,
      what, #variables, #values, advice)
  end
  for i, variable in ipairs(variables) do
    local misfit = stored.misfit(variable, values[i])
    if misfit then
      complain(options, "%s: %s: %s", values[i].where, what, misfit)
    else
      plan:add(variable, values[i])
    end
  end
end

local function with_weights(layers)
  local result = {}
  for _, layer in ipairs(layers) do
    if #layer.weights > 0 then result[#result + 1] = layer end
  end
  return result
end

local function with_values(layers)
  local result = {}
  for _, layer in ipairs(layers) do
    if #layer.values > 0 then result[#result + 1] = layer end
  end
  return result
end

local function names_of(layers)
  local names = {}
  for i, layer in ipairs(layers) do
    if i > 12 then
      names[i] = ("and %d more"):format(#layers - 12)
      break
    end
    names[i] = layer.name
  end
  return #names > 0 and table.concat(names, ", ") or "none"
end

local function match_in_order(plan, contents, model, options)
  local layers, groups = with_weights(model.layers), with_values(contents.layers)
  if #layers ~= #groups then
    errors.raise(
      "%s: the number of layers differs: the model '%s' has %d layers with weights (%s), the file "
      .. "%d (%s); "
      .. "load with by_name = true to take those of the same name", contents.where, model.name,
      #layers, names_of(layers), #groups,
      names_of(groups))
  end
  for i, layer in ipairs(layers) do
    local what = ("layer %d ('%s', in the file '%s')"):format(i, layer.name, groups[i].name)
    add_values(plan, contents, what, layer, groups[i].values, options)
  end
end

local function match_by_name(plan, contents, model, options)
  local by_name, matched = {}, false
  for _, layer in ipairs(model.layers) do
    by_name[layer.name] = by_name[layer.name] or {}
    table.insert(by_name[layer.name], layer)
  end
  for _, group in ipairs(contents.layers) do
    for _, layer in ipairs(by_name[group.name] or {}) do
      matched = true
      add_values(plan, contents, ("layer '%s'"):format(layer.name), layer, group.values, options)
    end
  end
  if matched then return end
  stored.warn("%s: nothing was loaded: no layer of the model '%s' (%s) has the name of one in the "
    .. "file (%s)", contents.where, model.name, names_of(model.layers), names_of(contents.layers))
end

--- Pairs the contents of a file with a model's variables; assigns nothing yet.
-- @tparam table contents the result of `read`
-- @tparam Model model built
-- @tparam[opt] table options `by_name`: match layers by name, not by order; `skip_mismatch`: skip
-- what does not fit, with a warning
-- @treturn table a plan (see cusp.saving.stored)
-- @raise naming the layer, the variable and both shapes if something does not fit
function hdf5_weights.match(contents, model, options)
  local plan = stored.plan()
  options = options or {}
  if options.by_name then
    match_by_name(plan, contents, model, options)
  else
    match_in_order(plan, contents, model, options)
  end
  if contents.top then
    add_values(plan, contents, ("the model '%s' itself"):format(model.name), model:own_variables(),
      contents.top, options)
  end
  return plan
end

return hdf5_weights
