--- User-defined classes and functions in saved models.
-- @module cusp.saving.objects
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local registry = require "cusp.base.registry"

local objects = {}

--- Registers a class or function for loading by name: `register_keras_serializable("package",
-- "name")(object)`. Classes made with `extend` are found by their names without it.
-- @tparam[opt="Custom"] string package
-- @tparam[opt] string name by default the class's own
-- @treturn function which takes the class or function, registers and returns it
function objects.register_keras_serializable(package, name)
  if type(package) == "table" then
    package, name = package.package or package[1], package.name or package[2]
  end
  return function(object)
    local own = name or type(object) == "table" and object.__name
    if not own then errors.raise "register_keras_serializable: a function needs a name" end
    registry.register(own, object)
    return registry.register((package or "Custom") .. ">" .. own, object)
  end
end

--- The table of everything registered; you may change it.
objects.get_custom_objects = registry.custom_objects

--- A scope with custom objects: `local scope <close> = custom_object_scope{Name = Class}`.
-- @tparam table custom_objects by name
function objects.custom_object_scope(custom_objects)
  if type(custom_objects) ~= "table" then
    errors.raise("custom_object_scope: expected a table of classes by name, got %s",
      errors.describe(custom_objects))
  end
  return registry.scope(custom_objects)
end
objects.CustomObjectScope = objects.custom_object_scope

--- The serialised form of an object, a function or a table of them.
objects.serialize_keras_object = registry.serialize

--- The object for a serialised form.
-- @param config
-- @tparam[opt] table custom_objects
function objects.deserialize_keras_object(config, custom_objects)
  if type(custom_objects) == "table" and custom_objects.custom_objects then
    custom_objects = custom_objects.custom_objects
  end
  return registry.deserialize(config, {custom_objects = custom_objects})
end

--- The name that a class or function is saved under: "package>Name" if registered, else its own.
function objects.get_registered_name(object)
  if type(object) ~= "function" and not Object.is_subclass(object, Object) then
    errors.raise("get_registered_name: expected a class or a function, got %s",
      errors.describe(object))
  end
  local registered = registry.registered_name(object)
  if registered then return registered end
  if Object.is_subclass(object, Object) then return object.__name end
  return registry.function_name(object)
end

--- The class or function with a name, or nil.
function objects.get_registered_object(name)
  return registry.find_custom(name) or Object.find(name)
end

return objects
