--- A model's outputs by name, and what belongs to each of them: targets, losses, metrics, weights.
-- @module cusp.training.outputs
local errors = require "cusp.base.errors"
local structure = require "cusp.base.structure"

local outputs = {}

local function is_named(value)
  return structure.is_container(value) and not structure.is_list(value)
end

-- The keys of a table of outputs: in the order of the model's output names where these are the
-- keys, else sorted.
local function ordered_keys(value, names)
  local keys = structure.keys(value)
  if names and #names == #keys then
    for _, name in ipairs(names) do
      if value[name] == nil then return keys end
    end
    return names
  end
  return keys
end

local function extended(path, key)
  local result = table.move(path, 1, #path, 1, {})
  result[#result + 1] = key
  return result
end

local function add(list, name, value, path)
  if not structure.is_container(value) then
    list[#list + 1] = {name = name, value = value, path = path}
    return
  end
  list.nested = true
  local keys = structure.keys(value)
  for _, key in ipairs(structure.is_list(value) and {} or keys) do
    add(list, ("%s_%s"):format(name, key), value[key], extended(path, key))
  end
  for i = 1, structure.is_list(value) and #value or 0 do
    add(list, ("%s_%d"):format(name, i), value[i], extended(path, i))
  end
end

--- The name of an output's loss: in a nested structure the way to it, as Keras has it.
local function loss_name(output)
  local parts, last = {}, output.path[#output.path]
  for i, key in ipairs(output.path) do parts[i] = tostring(math.type(key) and key - 1 or key) end
  if math.type(last) then parts[#parts] = output.name end
  return table.concat(parts, "/")
end

--- Gives the outputs within structures the names that the model has for them.
local function name_nested(list, names)
  if not list.nested then return list end
  for i, output in ipairs(list) do
    if names and #names == #list then output.name = names[i] end
    output.loss_name = loss_name(output)
  end
  return list
end

--- The outputs of a model in order.
-- @param y_pred what the model gave: a tensor, a list, or a table by name
-- @tparam ?{string,...} names the model's output names, where it has any
-- @treturn {table,...} `name`, `value`, `path` in the structure, `loss_name` within nested ones;
-- with `keyed` where they were given by name, `nested` where they are structures
function outputs.list(y_pred, names)
  local list = {}
  if not structure.is_container(y_pred) then
    list[1] = {name = names and names[1] or "output", value = y_pred}
  elseif is_named(y_pred) then
    list.keyed = true
    for _, key in ipairs(ordered_keys(y_pred, names)) do
      add(list, tostring(key), y_pred[key], {key})
    end
  else
    for i = 1, #y_pred do
      add(list, names and #names == #y_pred and names[i] or ("output_%d"):format(i), y_pred[i],
        {i})
    end
  end
  return name_nested(list, names)
end

local function names_of(list)
  local names = {}
  for i, output in ipairs(list) do names[i] = output.name end
  return names
end

local function check_names(what, given, list)
  local names = names_of(list)
  for _, key in ipairs(structure.keys(given)) do
    local known = false
    for _, name in ipairs(names) do known = known or name == key end
    if not known then
      errors.raise("%s: there is no output named '%s'%s; the outputs are %s", what, tostring(key),
        errors.suggestion(tostring(key), names),
        table.concat(names, ", "))
    end
  end
end

--- What a table of one entry holds, whatever its name: where there is one output, Keras asks for no
-- more.
function outputs.only(given)
  if not structure.is_container(given) then return given end
  local key, value = next(given)
  return next(given, key) == nil and value or given
end

--- Raises where outputs that have names are given something by place.
function outputs.check_keyed(what, given, list)
  if list.keyed and #list > 1 and structure.is_container(given) and structure.is_list(given) then
    errors.raise(
      "%s: the model gives its outputs by name (%s); expected a table by these names, got a list",
      what,
      table.concat(names_of(list), ", "))
  end
end

--- Raises where a table by name leaves out an output.
function outputs.check_complete(what, given, output)
  if given ~= nil and is_named(given) and given[output.name] == nil then
    errors.raise("%s: the output '%s' is missing; got %s", what, output.name,
      table.concat(structure.keys(given), ", "))
  end
end

---------------------------------------------------------------- nested structures

--- Whether a table has the names of the outputs themselves, rather than their structure.
local function has_names(given, list)
  if not is_named(given) then return false end
  local names = {}
  for _, output in ipairs(list) do names[output.name] = true end
  for key in pairs(given) do
    if not names[key] then return false end
  end
  return true
end

local function at_path(given, path, shared)
  for _, key in ipairs(path) do
    if not structure.is_container(given) then return shared and given or nil end
    given = given[key] or nil
  end
  return given
end

local function is_flat(given)
  return structure.is_list(given) and not structure.find(given, structure.is_container)
end

--- What was given in the structure of the outputs.
-- @raise where it has entries for none of them
local function match_nested(what, given, list, shared)
  local result, count = {}, 0
  for i, output in ipairs(list) do
    result[i] = at_path(given, output.path, shared)
    if result[i] ~= nil then count = count + 1 end
  end
  if count == 0 then
    errors.raise("%s: expected the structure of the model's outputs (%s), got %s", what,
      table.concat(names_of(list), ", "), errors.describe(given))
  end
  return result
end

--- Whether something was given in the structure of nested outputs.
function outputs.is_structure(given, list)
  return list.nested and structure.is_container(given) and not has_names(given, list)
    and not (#given == #list and is_flat(given))
end

--- What was given for each output, by place; nil where nothing was.
-- @tparam string what is given, for messages: "y", "loss", ...
-- @param given a single thing, a list, or a table by name
-- @tparam {table,...} list as `outputs.list` gives it
-- @tparam ?boolean shared whether a single thing is meant for every output
-- @treturn table
-- @raise where a name is not an output's, or a list has another length
function outputs.match(what, given, list, shared)
  local result = {}
  if given == nil then return result end
  if outputs.is_structure(given, list) then return match_nested(what, given, list, shared) end
  if is_named(given) then
    check_names(what, given, list)
    for i, output in ipairs(list) do result[i] = given[output.name] or nil end
    return result
  end
  if not structure.is_container(given) then
    if shared then
      for i = 1, #list do result[i] = given end
    elseif #list == 1 then
      result[1] = given
    else
      errors.raise("%s: the model has %d outputs (%s), expected one %s for each, got one", what,
        #list, table.concat(names_of(list),
        ", "), what)
    end
    return result
  end
  local flat = structure.find(given, structure.is_container) and structure.flatten(given) or given
  if #flat ~= #list then
    errors.raise("%s: the model has %d output%s (%s), expected one entry for each, got %d", what,
      #list, #list == 1 and "" or "s",
      table.concat(names_of(list), ", "), #flat)
  end
  for i = 1, #list do result[i] = flat[i] or nil end
  return result
end

--- The targets of each output. Where some outputs alone have a loss, targets may be those of these
-- alone.
-- @param y
-- @tparam {table,...} list as `outputs.list` gives it
-- @tparam {boolean,...} with_loss which of them have a loss
function outputs.targets(y, list, with_loss)
  local wanted = {}
  for i = 1, #list do
    if with_loss[i] then wanted[#wanted + 1] = i end
  end
  local flat = is_named(y) and {} or structure.flatten(y)
  if #wanted == #list or #flat ~= #wanted or outputs.is_structure(y, list) then
    return outputs.match("y", y, list)
  end
  local result = {}
  for i, place in ipairs(wanted) do result[place] = flat[i] end
  return result
end

--- The weights of samples for each output: a tensor for all, a list, or a table that names all
-- outputs.
function outputs.sample_weights(given, list)
  outputs.check_keyed("sample_weight", given, list)
  if not outputs.is_structure(given, list) then
    for _, output in ipairs(list) do outputs.check_complete("sample_weight", given, output) end
  end
  return outputs.match("sample_weight", given, list, true)
end

return outputs
