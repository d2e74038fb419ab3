--- Weights in Keras 3's layout (`model.weights.h5`): for each part of a model a group `<path>/vars`
-- with the attribute `name` and datasets 0, 1, ... Files of tf.keras 2.12 to 2.15 lack the names
-- and use other paths in a few places.
--
-- Keras does not save the state of random layers; Cusp's files have it in separate groups, which
-- Keras ignores.
-- @module cusp.saving.keras3.weights

local deferred = require "cusp.base.deferred"
local errors = require "cusp.base.errors"
local extra_state = require "cusp.saving.shared.extra_state"
local keras3_paths = require "cusp.saving.shared.paths"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local own_variables = require "cusp.saving.keras3.own_variables"
local stored = require "cusp.saving.shared.stored"
local structure = require "cusp.base.structure"

local keras3_weights = {}

---------------------------------------------------------------- writing

local function write_variable(vars, name, variable)
  local dataset = vars:create_dataset(name, variable)
  -- HDF5 has no type for it
  if variable.dtype == "bfloat16" then dataset.attributes:set("dtype", "bfloat16") end
end

local function write_part(group, part)
  if part.kind == "metric" then return end -- begins afresh with each epoch, and is not saved
  local vars = group:create_group(part.path == "" and "vars" or part.path .. "/vars")
  if part.name then vars.attributes:set("name", part.name) end
  if part.key then vars.attributes:set("key", part.key) end -- Keras passes over it
  if own_variables.is_custom(part, "save_own_variables") then
    local store = own_variables.saved(part)
    for _, name in ipairs(structure.keys(store)) do write_variable(vars, name, store[name]) end
    return
  end
  for i, variable in ipairs(part.variables) do write_variable(vars, tostring(i - 1), variable) end
end

--- Writes a model's weights, and its optimizer's state.
-- @tparam cusp.hdf5.NewGroup group
-- @tparam Model model
-- @tparam[opt=true] boolean with_optimizer
function keras3_weights.write(group, model, with_optimizer)
  for _, part in ipairs(keras3_paths.of(model, with_optimizer)) do write_part(group, part) end
end

---------------------------------------------------------------- reading

-- Numbered variables in a list, those that a class of the program's named by name.
local function read_vars(path, group)
  local values, named = {}, nil
  for _, name in ipairs(group:names()) do
    local dataset = group:get(name)
    local index = math.tointeger(tonumber(name))
    if not dataset or dataset.kind ~= "dataset" then
      errors.raise("%s: %s: expected variables, got '%s'", path, group.name, name)
    elseif index then
      values[index + 1] = stored.of_dataset(path, dataset)
    else
      named = named or {}
      named[name] = stored.of_dataset(path, dataset)
    end
  end
  local count = named and 0 or #group:names()
  for i = 1, count do
    if not values[i] then
      errors.raise("%s: %s: has %d variables, but none is named %d", path, group.name, count, i - 1)
    end
  end
  return values, named
end

-- Limits far beyond real models; a group that contains itself exceeds them.
local most_levels, most_groups = 500, 100000

-- Under which key of a table by name the model that was saved had a part.
local function note_key(contents, place, key)
  if type(key) ~= "string" then return end
  contents.by_key[(place:match "^(.*)/" or "") .. ":" .. key] = place
end

local function read_below(contents, group, place, level)
  contents.groups = contents.groups + 1
  if level > most_levels or contents.groups > most_groups then
    errors.raise("%s: %s: groups are nested more than %d levels deep, or there are more than %d",
      contents.path, group.name, most_levels,
      most_groups)
  end
  for _, name in ipairs(group:names()) do
    local member = group:get(name)
    if member and member.kind == "group" then
      if name == "vars" then
        local values, named = read_vars(contents.path, member)
        contents.parts[place] = {values = values, named = named,
          where = ("%s: %s"):format(contents.path, member.name)}
        note_key(contents, place, member.attributes:get "key")
      else
        read_below(contents, member, place == "" and name or place .. "/" .. name, level + 1)
      end
    end
  end
end

--- Reads the contents of a file.
-- @tparam string path of the file, for messages
-- @tparam cusp.hdf5.Group group
-- @treturn table `path`; `parts`: `{values =, where =}` by place; `by_key`: places by "path:key"
-- @raise where groups hold something other than numbered variables
function keras3_weights.read(path, group)
  local contents = {path = path, parts = {}, by_key = {}, groups = 0}
  read_below(contents, group, "", 0)
  return contents
end

--- Reads all values into memory, for use after the file is closed.
function keras3_weights.keep(contents)
  for _, part in pairs(contents.parts) do
    for _, value in pairs(part.values) do stored.keep(value) end
    for _, value in pairs(part.named or {}) do stored.keep(value) end
  end
  return contents
end

--- Whether a group is in this layout.
function keras3_weights.is_layout(group)
  for _, name in ipairs{"layers", "vars", "_layer_checkpoint_dependencies", "optimizer"} do
    if group:has(name) then return true end
  end
  return false
end

---------------------------------------------------------------- matching

-- Names of tf.keras 2.15 (private fields) and before (`_layer_checkpoint_dependencies`), one path
-- component at a time.
local function find_part(contents, path)
  local found = contents.parts[path]
  if found then return found end
  local older = path:gsub("%f[^/%z]layers%f[/%z]", "_layer_checkpoint_dependencies")
  if contents.parts[older] then return contents.parts[older] end
  local private = path:gsub("%f[^/%z](%a+_dense)%f[/%z]", "_%1")
  return contents.parts[private] or contents.parts[(path:gsub("%f[^/%z]_(%a+_dense)%f[/%z]", "%1"))]
end

local function first_misfit(variables, values)
  for i, variable in ipairs(variables) do
    local misfit = stored.misfit(variable, values[i])
    if misfit then return misfit end
  end
end

local function add_all(plan, variables, values)
  for i, variable in ipairs(variables) do
    if variable then plan:add(variable, values[i]) end
  end
end

local function match_layer(plan, contents, part)
  local found = find_part(contents, part.path)
  if own_variables.is_custom(part, "load_own_variables") then
    return own_variables.match(plan, part, found)
  end
  local values = found and found.values or {}
  local name = found and found.named and next(found.named)
  if name then
    return ("%s: expected variables named 0, 1, ..., got '%s'; %s '%s' has no load_own_variables")
      :format(found.where, name, part.object.__name, tostring(part.name))
  end
  if #values ~= #part.variables then
    local where = found and found.where or ("%s: /%s"):format(contents.path, part.path)
    return ("%s: %s '%s' has %d variables, the file has %d of it"):format(where, part.object.__name,
      tostring(part.name),
      #part.variables, #values)
  end
  local misfit = first_misfit(part.variables, values)
  if misfit then
    return ("%s: %s '%s': %s"):format(found.where, part.object.__name, tostring(part.name), misfit)
  end
  add_all(plan, part.variables, values)
end

-- The variables without the learning rate and others that tf.keras 2.15 does not keep; skips the
-- unused slots of plain SGD.
local function tf2_order(optimizer, count)
  local inner, result = optimizer_state.inner(optimizer), {}
  result[1] = inner.__own.iterations
  for _, slot in ipairs(optimizer_state.slots(optimizer)) do result[#result + 1] = slot.variable end
  local unused = inner.__name == "SGD" and inner.momentum == 0
    and #(inner.__own.trainable_variables or {}) or 0
  return (#result == count or #result + unused == count) and result or nil
end

-- An optimizer that had not trained yet: only its scalars.
local function without_slots(optimizer)
  local result = {}
  for _, entry in ipairs(optimizer_state.scalars(optimizer)) do
    if entry.keras3 == "iteration" or entry.keras3 == "learning_rate" then
      result[#result + 1] = entry.variable
    end
  end
  return result
end

--- The variables of an optimizer as they stand in Keras's files: each slot's places go to the
-- trained variables in Keras's order.
local function in_order_of(ranks, variables)
  if not ranks then return variables end
  local by_slot, result = {}, table.move(variables, 1, #variables, 1, {})
  for i, variable in ipairs(variables) do
    local slot = variable and variable.slot
    if slot and ranks[variable.slot_of] then
      by_slot[slot] = by_slot[slot] or {}
      table.insert(by_slot[slot], {at = i, rank = ranks[variable.slot_of], variable = variable})
    end
  end
  for _, entries in pairs(by_slot) do
    local sorted = table.move(entries, 1, #entries, 1, {})
    table.sort(sorted, function(a, b) return a.rank < b.rank end)
    for i, entry in ipairs(entries) do result[entry.at] = sorted[i].variable end
  end
  return result
end

local function optimizer_variables(part, values, ranks)
  local optimizer = part.object
  local orders = {
    part.variables, tf2_order(optimizer, #values) or {}, without_slots(optimizer),
    optimizer_state.keras3_variables(optimizer, true),
    optimizer_state.without_placeholders(optimizer),
  }
  for i, variables in ipairs(orders) do
    variables = in_order_of(ranks, variables)
    local complete = i == 2 and #variables > 0 or #variables == #values
    if complete and not first_misfit(variables, values) then return variables end
  end
end

local function warn_of_optimizer(part, found)
  local reason = #part.variables == #found.values and first_misfit(part.variables, found.values)
    or ("it has %d variables, the file has %d"):format(#part.variables, #found.values)
  stored.warn("%s: the state of the optimizer '%s' is not loaded: %s", found.where,
    tostring(part.name), reason)
end

-- A further optimizer of a model of one's own has its variables when it is first used; only then is
-- it known what it trains.
local function match_when_built(plan, part, found, ranks)
  plan:afterwards(function()
    for _, value in ipairs(found.values) do stored.keep(value) end
    deferred.when_built(part.object, function(optimizer)
      local now = {object = optimizer, name = part.name,
        variables = optimizer_state.keras3_variables(optimizer, false)}
      local variables = optimizer_variables(now, found.values, ranks)
      local own_plan = stored.plan()
      if not variables then return warn_of_optimizer(now, found) end
      add_all(own_plan, variables, found.values)
      own_plan:run()
    end, "optimizer")
  end)
end

local function match_optimizer(plan, contents, part, ranks)
  local found = contents.parts[part.path]
  if found and own_variables.is_custom(part, "load_own_variables") then
    return own_variables.match(plan, part, found)
  end
  if not found or #found.values == 0 then return end
  local variables = optimizer_variables(part, found.values, ranks)
  if variables then add_all(plan, variables, found.values)
  elseif not part.object.built then match_when_built(plan, part, found, ranks)
  else warn_of_optimizer(part, found) end
end

-- State that only Cusp's files have, such as that of random layers.
local function match_extra(plan, contents, part)
  local found = contents.parts[part.path]
  if found and #found.values == 1 and not first_misfit(part.variables, found.values) then
    add_all(plan, part.variables, found.values)
  end
end

local matchers = {
  layer = match_layer, optimizer = match_optimizer, generator = match_extra, extra = match_extra,
  metric = function() end,
}

local function report(contents, failures, skip)
  if #failures == 0 then return end
  local more = #failures > 1
    and (" (and %d more parts of the model do not fit)"):format(#failures - 1) or ""
  if not skip then
    errors.raise("%s%s; pass skip_mismatch = true to skip what does not fit", failures[1],
      more)
  end
  for _, failure in ipairs(failures) do stored.warn("%s; it is skipped", failure) end
  return contents
end

-- Whether an optimizer is the one that the model was compiled with, or inside that one.
local function is_own(model, optimizer)
  local own = model.compiled and model.optimizer
  return own and (own == optimizer or optimizer_state.inner(own) == optimizer)
end

--- How many layers of a model a file has nothing fitting for.
local function misfits(contents, parts)
  local count = 0
  for _, part in ipairs(parts) do
    local found = part.kind == "layer" and #part.variables > 0 and find_part(contents, part.path)
    if found == nil or found and (#found.values ~= #part.variables
      or first_misfit(part.variables, found.values)) then
      count = count + 1
    end
  end
  return count
end

--- The rules that a file was written by: the first under which all of the model has its place.
local function rules_of(contents, model)
  for _, rules in ipairs(keras3_paths.rules) do
    local parts = keras3_paths.of(model, false, {rules = rules, by_key = contents.by_key})
    if misfits(contents, parts) == 0 then return rules end
  end
end

--- The parts of a model, with the state of its optimizer and random layers made where the file has
-- some.
local function complete_parts(contents, model)
  local options = {rules = rules_of(contents, model), by_key = contents.by_key}
  local parts = keras3_paths.of(model, true, options)
  local made = extra_state.prepare(parts, function(path) return contents.parts[path] ~= nil end)
  for _, part in ipairs(parts) do
    local found = part.kind == "optimizer" and not part.object.built and is_own(model, part.object)
      and contents.parts[part.path]
    if found and #found.values > 0 then
      part.object:ensure_built(model.trainable_variables)
      made = true
    end
  end
  return made and keras3_paths.of(model, true, options) or parts
end

--- Pairs the contents of a file with the variables of a model and its optimizer; assigns nothing
-- yet.
-- @tparam table contents the result of `read`
-- @tparam Model model built
-- @tparam[opt] table options `skip_mismatch`: skip parts that do not fit, with a warning
-- @treturn table a plan (see cusp.saving.stored)
-- @raise naming the part, the variable and both shapes if something does not fit
function keras3_weights.match(contents, model, options)
  local plan, failures = stored.plan(), {}
  -- files with keys are this library's own, whose optimizers follow the order of keys
  local ranks = next(contents.by_key) == nil and keras3_paths.ranks(model) or nil
  for _, part in ipairs(complete_parts(contents, model)) do
    failures[#failures + 1] = matchers[part.kind](plan, contents, part, ranks)
  end
  report(contents, failures, options and options.skip_mismatch)
  return plan
end

return keras3_weights
