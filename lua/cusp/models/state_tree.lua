--- The variables of a model as nested tables, by the parts of their paths.
-- @module cusp.models.state_tree
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"

local state_tree = {}

local kinds = {"trainable_variables", "non_trainable_variables", "optimizer_variables",
  "metrics_variables"}

local function variables_of(model, kind)
  if kind == "optimizer_variables" then
    return model.optimizer and model.optimizer.variables or {}
  end
  return model[kind] or {}
end

-- The variables of one kind by path; several of one path cannot be told apart.
local function by_path(owner, model, kind)
  local found = {}
  for _, variable in ipairs(variables_of(model, kind)) do
    if found[variable.path] then
      errors.raise("%s: two variables have the path '%s'; give the layers names of their own",
        owner, variable.path)
    end
    found[variable.path] = variable
  end
  return found
end

local function nest(values)
  local tree = {}
  for path, value in pairs(values) do
    local branch, last = tree, path
    for part, rest in path:gmatch "([^/]+)/()" do
      branch[part] = branch[part] or {}
      branch, last = branch[part], path:sub(rest)
    end
    branch[last] = value
  end
  return tree
end

local function flatten(tree, prefix, into)
  for key, value in pairs(tree) do
    if lists.is_container(value) and type(next(value)) == "string" then
      flatten(value, prefix .. key .. "/", into)
    elseif not (lists.is_container(value) and next(value) == nil) then
      into[prefix .. key] = value
    end
  end
  return into
end

---------------------------------------------------------------- reading

local bind_get = arguments.binder("get_state_tree", {
  {"value_format", "choice", choices = {"backend_tensor", "numpy_array"},
    default = "backend_tensor"},
}, false)

--- All variables of the model, nested by the parts of their paths (Keras's `get_state_tree`).
-- @tparam Model model
-- @tparam[opt="backend_tensor"] string value_format "backend_tensor" for tensors, "numpy_array" for
-- tables of numbers
-- @treturn table with `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
-- `metrics_variables`
-- @raise if two variables have one path
function state_tree.get(model, ...)
  local format = bind_get(...)
  local tree = {}
  for _, kind in ipairs(kinds) do
    local values = {}
    for path, variable in pairs(by_path("get_state_tree", model, kind)) do
      local value = variable.value
      if format == "numpy_array" then
        value = #value.shape == 0 and value:item() or value:tolist()
      end
      values[path] = value
    end
    tree[kind] = nest(values)
  end
  return tree
end

---------------------------------------------------------------- writing

local function check_kind(kind)
  for _, known in ipairs(kinds) do
    if kind == known then return end
  end
  errors.raise("set_state_tree: expected %s, got '%s'", table.concat(kinds, ", "),
    plain.tostring(kind))
end

local function value_for(path, variable, value)
  if type(value) ~= "userdata" then value = engine.tensor(value, {dtype = variable.dtype}) end
  if errors.shape(value.shape) ~= errors.shape(variable.shape) then
    errors.raise("set_state_tree: '%s' has shape %s, got %s", path, errors.shape(variable.shape),
      errors.shape(value.shape))
  end
  return value
end

local function collect(model, kind, tree, variables, values)
  check_kind(kind)
  local known = by_path("set_state_tree", model, kind)
  for path, value in pairs(flatten(tree, "", {})) do
    if not known[path] then
      errors.raise("set_state_tree: there is no variable '%s' among the %s%s", path, kind,
        errors.suggestion(path, known))
    end
    variables[#variables + 1] = known[path]
    values[#values + 1] = value_for(path, known[path], value)
  end
end

--- Sets the variables that a tree names, all or none (Keras's `set_state_tree`).
-- @tparam Model model
-- @tparam table tree as `get_state_tree` gives it, or a part of it
-- @raise if a name is none of the model's, or a shape is another
function state_tree.set(model, tree)
  if not lists.is_container(tree) then
    errors.raise("set_state_tree: expected a table as get_state_tree gives it, got %s",
      errors.describe(tree))
  end
  local variables, values = {}, {}
  for kind, part in pairs(tree) do collect(model, kind, part, variables, values) end
  engine.assign_all(variables, values)
end

return state_tree
