--- A model's weights as safetensors: each under the path of its layer in Keras 3's files and its
-- own name, as in `layers/dense_1/kernel`. The optimizer's state is not kept.
-- @module cusp.saving.keras3.safetensors

local deferred = require "cusp.base.deferred"
local errors = require "cusp.base.errors"
local keras3_paths = require "cusp.saving.shared.paths"
local own_variables = require "cusp.saving.keras3.own_variables"
local safetensors = require "cusp.formats.safetensors"
local stored = require "cusp.saving.shared.stored"

local model_tensors = {}

local function each_layer(model)
  local list, i = keras3_paths.of(model, false), 0
  return function()
    repeat i = i + 1 until list[i] == nil or list[i].kind == "layer"
    return list[i]
  end
end

-- The names of a layer's variables; those of one name are numbered.
local function names_of(part)
  local names, taken = {}, {}
  for i, variable in ipairs(part.variables) do
    local name, number = variable.name, 0
    while taken[name] do
      number = number + 1
      name = ("%s_%d"):format(variable.name, number)
    end
    taken[name] = true
    names[i] = (part.path == "" and "" or part.path .. "/") .. name
  end
  return names
end

--- Writes a model's weights.
-- @tparam string path
-- @tparam Model model built
function model_tensors.write(path, model)
  local tensors = {}
  for part in each_layer(model) do
    if own_variables.is_custom(part, "save_own_variables") then
      for name, value in pairs(own_variables.saved(part)) do
        tensors[part.path .. "/" .. name] = value
      end
    else
      for i, name in ipairs(names_of(part)) do tensors[name] = part.variables[i] end
    end
  end
  safetensors.save(path, tensors)
end

---------------------------------------------------------------- reading

local function value_of(file, name)
  local entry = file.entries[name]
  return {where = ("%s: '%s'"):format(file.path, name), shape = entry.shape, dtype = entry.dtype,
    read = function() return file:read(name) end}
end

-- What a file has under a part's path, for a class that reads it by itself.
local function named_below(file, used, part)
  local found = {values = {}, named = {}, where = ("%s: %s"):format(file.path, part.path)}
  for _, entry in ipairs(file.entries) do
    local name = entry.name:sub(1, #part.path + 1) == part.path .. "/"
      and entry.name:match("^[^/]+$", #part.path + 2)
    if name then
      found.named[name], used[entry.name] = value_of(file, entry.name), true
    end
  end
  return found
end

-- Programs elsewhere may have named them by the variables' paths.
local function find_name(file, name, variable)
  return file.entries[name] and name or file.entries[variable.path] and variable.path or nil
end

local function add_layer(plan, file, used, part)
  for i, name in ipairs(names_of(part)) do
    local variable = part.variables[i]
    local found = find_name(file, name, variable)
    local value = found and value_of(file, found)
    local misfit = value and stored.misfit(variable, value)
    if not found then
      return ("%s: there is no tensor '%s', which %s '%s' needs"):format(file.path, name,
        part.object.__name, tostring(part.name))
    elseif misfit then
      return ("%s: %s '%s': %s"):format(value.where, part.object.__name, tostring(part.name),
        misfit)
    end
    used[found] = true
    plan:add(variable, value)
  end
end

local function report_unused(file, used, failures)
  local count, first = 0, nil
  for _, entry in ipairs(file.entries) do
    if not used[entry.name] then count, first = count + 1, first or entry.name end
  end
  if count > 0 then
    failures[#failures + 1] = ("%s: the model has no place for %d of the tensors, such as '%s'")
      :format(file.path, count, first)
  end
end

local function match(file, model, options)
  local plan, failures, used = stored.plan(), {}, {}
  for part in each_layer(model) do
    if own_variables.is_custom(part, "load_own_variables") then
      own_variables.match(plan, part, named_below(file, used, part))
    else
      failures[#failures + 1] = add_layer(plan, file, used, part)
    end
  end
  if #failures == 0 then report_unused(file, used, failures) end
  if #failures > 0 and not options.skip_mismatch then
    errors.raise("load_weights: %s; pass skip_mismatch = true to skip what does not fit",
      failures[1])
  end
  for _, failure in ipairs(failures) do stored.warn("%s; it is skipped", failure) end
  return plan
end

--- Loads weights into a model, or when it is built.
-- @tparam string path
-- @tparam Model model
-- @tparam table options `skip_mismatch`
-- @raise naming the tensor, the layer and both shapes if something does not fit
function model_tensors.load(path, model, options)
  local file = safetensors.open(path)
  deferred.when_built(model, function() match(file, model, options):run() end, path)
end

return model_tensors
