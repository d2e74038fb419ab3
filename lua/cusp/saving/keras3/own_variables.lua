--- Parts of a model that say themselves what a file keeps of their variables: classes of the
-- program's with `save_own_variables` and `load_own_variables`, layers that are adapted or
-- quantized, and those whose `keeps_own_variables` says so.
-- @module cusp.saving.keras3.own_variables
local Object = require "cusp.base.class"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local own_variables = {}

local methods_of = {layer = true, optimizer = true}

--- Whether a part has a method of its own for what the library does otherwise.
-- @tparam table part
-- @tparam string method "save_own_variables" or "load_own_variables"
function own_variables.is_custom(part, method)
  local object = part.object
  if not methods_of[part.kind] then return false end
  if object.lora_enabled or object.__own.quantized then return true end
  if object.keeps_own_variables and object:keeps_own_variables() then return true end
  local f = object[method]
  return type(f) == "function"
    and not errors.is_library(debug.getinfo(Object.method_behind(f), "S").source)
end

--- What a part puts into a file.
-- @treturn table name → tensor or variable
-- @raise where it is no tensor, naming the class
function own_variables.saved(part)
  local store, object = {}, part.object
  object:save_own_variables(store)
  for name, value in pairs(store) do
    if type(value) == "number" then value = engine.tensor(value) end
    if type(name) ~= "string" or name == "" or name:find "/" or type(value) ~= "userdata" then
      errors.raise("%s.save_own_variables: expected tensors by name, got %s for %s", object.__name,
        errors.describe(store[name]), errors.describe(name))
    end
    store[name] = value
  end
  return store
end

-- All of a part by name.
local function store_of(found)
  local store = {}
  for index, value in pairs(found and found.values or {}) do
    store[tostring(index - 1)] = value.read()
  end
  for name, value in pairs(found and found.named or {}) do store[name] = value.read() end
  return store
end

--- Adds to a plan that a part takes what a file has of it, after all else was assigned.
-- @tparam table plan
-- @tparam table part
-- @tparam ?table found what the file has
function own_variables.match(plan, part, found)
  local store = store_of(found)
  plan:by_itself(part.object, function()
    local ok, message = engine.attempt(part.object.load_own_variables, part.object, store)
    if ok then return end
    errors.raise("%s: %s '%s': %s", found and found.where or "/" .. part.path, part.object.__name,
      tostring(part.name), tostring(message))
  end)
end

return own_variables
