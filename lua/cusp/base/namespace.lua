--- Namespaces: tables such as `cusp.layers` whose members are loaded from their files when they are
-- first asked for.
-- @module cusp.base.namespace
local Object = require "cusp.base.class"
local absent = require "cusp.base.absent"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local lists = require "cusp.base.lists"
local nulls = require "cusp.base.nulls"
local plain = require "cusp.base.plain"
local registry = require "cusp.base.registry"

local namespace = {}

--- The name of a class as Keras writes it in snake case: "GlorotUniform" → "glorot_uniform",
-- "L1L2" → "l1_l2".
function namespace.snake_case(name)
  return plain.lower((name:gsub("(%u+)(%u%l)", "%1_%2"):gsub("(%l)(%u)", "%1_%2"):gsub("(%d)(%u)",
    "%1_%2")))
end

--- Makes a namespace.
-- @tparam string path of the folder, "cusp.layers"
-- @tparam table members names → names of files in the folder; where one file has several, `{file,
-- key}`
-- @treturn table whose missing fields are loaded on first access; `namespace.names(it)` lists all
-- of them
function namespace.new(path, members)
  local space = {}
  return setmetatable(space, {
    __name = path,
    __members = members,
    __pairs = absent.pairs,
    __index = function(_, name)
      local file = members[name]
      if file == nil then return absent.note(space, name) end
      local value
      if type(file) == "table" then
        value = require(path .. "." .. file[1])[file[2]]
      else
        value = require(path .. "." .. file)
      end
      rawset(space, name, value)
      absent.name_function(value, path, name)
      return value
    end,
    __tostring = function() return path end,
  })
end

--- All names in a namespace, loaded or not, sorted.
-- @treturn {string,...}
function namespace.names(space) return lists.keys(absent.names(space)) end

local function find_class(space, name, aliases)
  local found = space[name] or space[aliases[name]]
  if Object.is_subclass(found, Object) then return found end
  for _, other in ipairs(namespace.names(space)) do
    if namespace.snake_case(other) == name and Object.is_subclass(space[other], Object) then
      return space[other]
    end
  end
end

--- Adds `get`, `serialize` and `deserialize` to a namespace of classes.
-- @tparam table space
-- @tparam table options `what`: what a member is called ("initializer"); `module`: Keras's
-- ("keras.initializers"); `aliases`: further names → class names
function namespace.of_objects(space, options)
  local what, module, aliases = options.what, options.module, options.aliases or {}

  function space.serialize(object)
    return registry.serialize(object)
  end

  function space.deserialize(config, custom_objects)
    if type(custom_objects) == "table" and custom_objects.custom_objects then
      custom_objects = custom_objects.custom_objects
    end
    if type(config) == "string" then return space.get(config) end
    return registry.deserialize(config, {module = module, custom_objects = custom_objects})
  end

  function space.get(identifier)
    if identifier == nil or nulls.is(identifier) then return nil end
    if type(identifier) == "string" then
      local found = registry.find_custom(identifier) or find_class(space, identifier, aliases)
        or Object.find(identifier)
      if not found then
        errors.raise("there is no %s named '%s'%s", what, identifier,
          errors.suggestion(identifier, namespace.names(space)))
      end
      if Object.is_subclass(found, Object) then return found() end
      return found
    end
    if kinds.is_plain(identifier) and identifier.class_name then
      return space.deserialize(identifier)
    end
    if Object.is_subclass(identifier, Object) then return identifier() end
    local meta = getmetatable(identifier)
    if type(identifier) == "function" or type(meta) == "table" and meta.__call then
      return identifier
    end
    errors.raise("expected %s %s, its name or a function, got %s",
      what:find "^[aeiou]" and "an" or "a", what, errors.describe(identifier))
  end

  return space
end

return namespace
