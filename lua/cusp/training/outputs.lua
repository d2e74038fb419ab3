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

local function add(list, name, value)
  if not structure.is_container(value) then
    list[#list + 1] = {name = name, value = value}
  elseif structure.is_list(value) then
    for i = 1, #value do add(list, ("%s_%d"):format(name, i), value[i]) end
  else
    for _, key in ipairs(structure.keys(value)) do
      add(list, ("%s_%s"):format(name, key), value[key])
    end
  end
end

--- The outputs of a model in order.
-- @param y_pred what the model gave: a tensor, a list, or a table by name
-- @tparam ?{string,...} names the model's output names, where it has any
-- @treturn {table,...} `name`, `value`; with `keyed` where they were given by name
function outputs.list(y_pred, names)
  local list = {}
  if not structure.is_container(y_pred) then
    list[1] = {name = names and names[1] or "output", value = y_pred}
  elseif is_named(y_pred) then
    list.keyed = true
    for _, key in ipairs(ordered_keys(y_pred, names)) do add(list, tostring(key), y_pred[key]) end
  else
    for i = 1, #y_pred do
      add(list, names and #names == #y_pred and names[i] or ("output_%d"):format(i), y_pred[i])
    end
  end
  return list
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

--- The weights of samples for each output: a tensor for all, a list, or a table that names all
-- outputs.
function outputs.sample_weights(given, list)
  outputs.check_keyed("sample_weight", given, list)
  for _, output in ipairs(list) do outputs.check_complete("sample_weight", given, output) end
  return outputs.match("sample_weight", given, list, true)
end

return outputs
