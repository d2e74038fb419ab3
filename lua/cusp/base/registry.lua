--- Serialised forms: objects and functions as the tables that Keras's files hold, and back.
--
--     {module = "keras.layers", class_name = "Dense", config = {...}, registered_name = null}
--
-- A library class has its module. Any other class has `module = null`, and its name as
-- `registered_name`, or "package>Name" if registered that way. Built or compiled layers and models
-- add `build_config` and `compile_config`. Loading finds classes by name and runs no code from the
-- file: functions outside the library must be passed in `custom_objects` or registered with
-- `register`. `cusp.saving.keras2.upgrade` converts forms of older Keras generations.
-- @module cusp.base.registry
local Object = require "cusp.base.class"
local context = require "cusp.base.context"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local generation = require "cusp.base.generation"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local nulls = require "cusp.base.nulls"
local ordered = require "cusp.base.ordered"
local rooms = require "cusp.base.rooms"
local structure = require "cusp.base.structure"

local registry = {}

---------------------------------------------------------------- custom objects

local registered = {}                                  -- name → class or function, for good
-- open scopes of custom objects and their coroutines, innermost last
local scopes = {}
local function_names = setmetatable({}, {__mode = "k"}) -- function → the name it is written by
-- class or function → the name that the program registered it under
local given_names = setmetatable({}, {__mode = "k"})
-- serialised form → the object it came from
local origins = setmetatable({}, {__mode = "k"})

--- Registers a class or a function by name for everything that is loaded from now on.
-- @tparam string name "Name" or "package>Name"
-- @tparam function|table object
function registry.register(name, object)
  registered[name] = object
  if type(object) == "function" then function_names[object] = name:match ">(.+)$" or name end
  given_names[object] = name
  return object
end

--- The name that the program registered a class or a function under, or nil.
-- @param object
-- @treturn ?string
function registry.registered_name(object) return given_names[object] end

--- The object that a serialised form came from, for the lifetime of the form; another file layout
-- may need it.
-- @tparam table config
function registry.origin(config) return origins[config] end

--- The table of everything registered by name; may be changed.
function registry.custom_objects() return registered end

--- Calls `f` with custom objects in effect, and removes them afterwards in any case.
-- @tparam ?table objects classes and functions by name
-- @tparam function f
-- @param ... its arguments
-- @return its results
function registry.with_custom_objects(objects, f, ...)
  if objects == nil then return f(...) end
  if type(objects) ~= "table" then
    errors.raise("custom_objects: expected a table of classes by name, got %s",
      errors.describe(objects))
  end
  return context.within({custom_objects = {objects = objects,
    outer = context.get().custom_objects}}, f, ...)
end

--- Puts custom objects in effect until the result is closed.
-- @tparam table objects
-- @return a value for a `<close>` variable
function registry.scope(objects)
  local scope = {objects = objects, coroutine = coroutine.running()}
  scopes[#scopes + 1] = scope
  return setmetatable({}, {__name = "scope of custom objects", __close = function()
    for i = #scopes, 1, -1 do
      if scopes[i] == scope then return table.remove(scopes, i) end
    end
  end})
end

-- A scope is visible to the coroutine that opened it, and to those that it waits for.
local function is_seen(scope)
  local status = coroutine.status(scope.coroutine)
  return status == "running" or status == "normal"
end

local function find_custom(name)
  if type(name) ~= "string" then return nil end
  local short = name:match ">(.+)$" -- "package>Name", as Keras registers
  local given = context.get().custom_objects
  while given do
    local found = given.objects[name] or short and given.objects[short]
    if found then return found end
    given = given.outer
  end
  for i = #scopes, 1, -1 do
    local found = is_seen(scopes[i])
      and (scopes[i].objects[name] or short and scopes[i].objects[short])
    if found then return found end
  end
  return registered[name] or short and registered[short]
end
registry.find_custom = find_custom

---------------------------------------------------------------- finding classes and functions

-- Keras's modules and our namespaces; the second part of an internal path ("keras.src.layers.core")
-- also names one.
local namespaces = {
  layers = "layers", losses = "losses", metrics = "metrics", optimizers = "optimizers",
  initializers = "initializers",
  regularizers = "regularizers", constraints = "constraints", activations = "activations",
  models = "models", random = "random",
  callbacks = "callbacks", utils = "utils", onnx = "onnx", quantizers = "quantizers",
  dtype_policies = "dtype_policies",
}
local order = {"layers", "models", "losses", "metrics", "optimizers", "initializers",
  "regularizers", "constraints", "activations"}

local function namespace_of(module)
  if type(module) ~= "string" then return nil end
  if module:find("schedules", 1, true) or module:find("learning_rate_schedule", 1, true) then
    return "optimizers.schedules"
  end
  if module:find("feature_space", 1, true) then return "utils.feature_parts" end
  local part = module:match "^keras%.src%.([%w_]+)" or module:match "^[%w_]*keras%.([%w_]+)"
    or module
  if part == "src" or part == "engine" then part = "models" end
  return namespaces[part]
end

local function member(namespace, name)
  if not namespace then return nil end
  local found = rooms.get(namespace)
  return found and found[name]
end

--- Looks up a class or function by name: custom objects, the library's of that module, user's
-- classes, any of the library's.
-- @tparam string name
-- @tparam[opt] string module "keras.layers", or only "layers"
-- @tparam[opt] string registered_name
-- @treturn ?table|function
function registry.find(name, module, registered_name)
  if type(name) ~= "string" then return nil end
  local custom = find_custom(registered_name) or find_custom(name)
  if custom then return custom end
  local namespace = namespace_of(module)
  if registered_name == nil or registered_name == null or namespace == "utils.feature_parts" then
    local own = member(namespace, name)
    if own then return own end
  end
  local class = Object.find(name)
  if class then return class end
  -- tf.keras 2 registered some classes of its applications as "Custom>CustomScaleLayer".
  name = name:match "^Custom>([%w_]+)$" or name
  local found = member(namespace, name)
  for _, other in ipairs(found and {} or order) do
    found = found or member(other, name)
  end
  return found
end

---------------------------------------------------------------- functions by name

-- A name for an anonymous function: its place in the source, with a number if several come from
-- that place.
local function new_function_name(f)
  local info = type(f) == "function" and debug.getinfo(f, "S")
  local place = info and info.short_src:match "[^/]*$":gsub("[^%w]", "_") or "callable"
  local name = ("function_%s_%s"):format(place,
    info and info.linedefined or tostring(f):match "0x%x+" or "")
  if registered[name] == nil then return name end
  local number = 2
  while registered[name .. "_" .. number] ~= nil do number = number + 1 end
  return name .. "_" .. number
end

--- The name that a function is saved under. An anonymous function is named after its place in the
-- source, and found by that name while the program runs.
function registry.function_name(f)
  local name = function_names[f]
  if not name then
    name = new_function_name(f)
    registered[name], function_names[f] = f, name
  end
  return name
end

--- Whether another program can look up the function by its name.
function registry.is_named(f)
  return given_names[f] ~= nil or function_names[f] ~= nil and registered[function_names[f]] ~= f
end

--- The name of a function of the library; nil for a program's.
function registry.library_name(f)
  local name = function_names[f]
  return name and registered[name] ~= f and name or nil
end

--- Names a library function.
function registry.name_function(f, name)
  function_names[f] = name
end

---------------------------------------------------------------- writing

local serialize_plain
local noted -- name → set of what was written under it, while `noting` runs

local function note(name, object)
  if not noted then return end
  noted[name] = noted[name] or {}
  noted[name][object] = true
end

--- Calls `f` and records which classes and functions of the program are serialised meanwhile.
-- @tparam function f
-- @param ... its arguments
-- @return what it returns
-- @treturn {[string]={[table|function]=true}} by serialised name
function registry.noting(f, ...)
  local outer, own = noted, {}
  noted = own
  local ok, result = engine.attempt(f, ...)
  noted = outer
  if not ok then error(result, 0) end
  return result, own
end

--- The state that a layer or model adds to its form: empty tables are kept, as in Keras.
local function add_state(result, object, key, get)
  if type(get) ~= "function" then return end
  local state = get(object)
  if state ~= nil then ordered.set(result, key, serialize_plain(state)) end
end

--- The configuration of an object. For losses, metrics and similar classes of the program, it
-- includes the constructor arguments.
local function config_of(object, class)
  local config = object:get_config()
  if not class.__is_layer and object.__own.arguments then
    require("cusp.base.given_arguments").add_to(object, config)
  end
  return config
end

-- Limits nesting: reading takes a few C levels per object, and Lua allows 200. We refuse to write
-- what could not be read.
local max_depth = 64
local levels = 0
local level = setmetatable({}, {__close = function() levels = levels - 1 end})

local function serialize_object(object)
  if levels >= max_depth then
    errors.raise("objects are nested deeper than %d levels, which could not be loaded again",
      max_depth)
  end
  levels = levels + 1
  local _ <close> = level
  local class = Object.class_of(object)
  local is_custom = not class.__library
  local result = ordered.object({
    module = not is_custom and class.__module or null,
    class_name = class.__name,
    config = config_of(object, class),
    registered_name = is_custom and (given_names[class] or class.__name) or class.__registered_name
    or null,
  }, {"module", "class_name", "config", "registered_name"})
  if is_custom then note(result.registered_name, class) end
  add_state(result, object, "build_config", object.get_build_config)
  add_state(result, object, "compile_config", object.get_compile_config)
  origins[result] = object
  return result
end

local function serialize_function(f)
  local name = registry.function_name(f)
  if given_names[f] then note(given_names[f], f) end
  return ordered.object({module = "builtins", class_name = "function", config = name,
    registered_name = given_names[f] or name},
    {"module", "class_name", "config", "registered_name"})
end

local serialize

function serialize_plain(value, depth)
  depth = structure.deeper(depth or 0)
  local result = ordered.is_object(value) and ordered.object({}, ordered.keys(value)) or {}
  for key, item in pairs(value) do result[key] = serialize(item, depth) end
  return result
end

function serialize(value, depth)
  if value == nil then return null end
  if Object.is_instance(value) then return serialize_object(value) end
  if type(value) == "function" then return serialize_function(value) end
  if kinds.is_plain(value) then return serialize_plain(value, depth) end
  if Object.is_subclass(value, Object) then
    errors.raise("serialize: %s is a class; make an instance of it", tostring(value))
  end
  if type(value) == "table" and kinds.is_callable(value) then return serialize_function(value) end
  return value
end

--- The serialised form of a value.
-- @param value an object, a function, a plain value, or a plain table (converted item by item)
-- @return tables, strings, numbers, booleans, null
function registry.serialize(value) return serialize(value) end

---------------------------------------------------------------- reading

local function unknown_class(config, module)
  local name = tostring(config.class_name)
  local short = name:match ">(.+)$" or name
  local text =
    "there is no class named '%s'%s%s; if it is one of yours, make it with extend before loading, "
    .. "or pass custom_objects = {%s = %s}"
  local key = name:find "^[%a_][%w_]*$" and name or ("[%q]"):format(name)
  errors.raise(text, name, type(module) == "string" and " in " .. module or "",
    errors.suggestion(name, Object.classes), key,
    short:find "^[%a_][%w_]*$" and short or "...")
end

local function deserialize_function(config, module)
  local name = type(config.config) == "table" and config.config.name or config.config
  if name == null or name == nil then name = config.registered_name end
  local found = registry.find(name, module, config.registered_name)
  if not found then
    local text =
      "there is no function named '%s'; register it (cusp.utils.register_keras_serializable) or "
      .. "pass custom_objects = {%s = ...}"
    errors.raise(text, tostring(name), tostring(name))
  end
  return found
end

local function deserialize_items(list, options)
  local result = {}
  for i = 1, #list do result[i] = registry.deserialize(list[i], options) end
  return result
end

-- Keras's forms for Python values that JSON lacks.
local special = {
  __tuple__ = function(config, options)
    return deserialize_items(config.items or config.config or {}, options)
  end,
  __list__ = function(config, options)
    return deserialize_items(config.items or config.config or {}, options)
  end,
  __dict__ = function(config, options)
    local result = {}
    for key, value in pairs(config.config or {}) do
      result[key] = registry.deserialize(value, options)
    end
    return result
  end,
  __tensor__ = function(config)
    return require("cusp.engine").tensor(config.config.value, {dtype = config.config.dtype})
  end,
  DTypePolicy = function(config)
    return type(config.config) == "table" and config.config.name or nil
  end,
  __lambda__ = function()
    errors.raise("deserialize: the file holds a function as Python bytecode, which cannot be "
      .. "run here; pass it in custom_objects")
  end,
}
special.__numpy__ = special.__tensor__

--- Converts forms of library classes to this generation; a class of the program reads its own,
-- except for renamed ones.
local function present_form(class, config)
  if type(config) ~= "table" then return config end
  config = generation.present(class.__name, config)
  if not class.__library then return config end
  return rooms.get("saving.keras2.upgrade").upgrade(class, config)
end

--- The outermost object is built here; it builds its own parts.
local function build_from_config(object, state)
  if kinds.is_plain(state) and type(object) == "table" and object.build_from_config then
    object:build_from_config(state)
  end
end

local function deserialize_class(config, options)
  local module = config.module
  if module == nil or module == null then module = options.module end
  if config.class_name == "function" then
    return deserialize_function(config, options.module or module)
  end
  local class = registry.find(config.class_name, module, config.registered_name)
  if not class then
    config = rooms.get("saving.keras2.upgrade").older_class(config) or unknown_class(config, module)
    class = registry.find(config.class_name, config.module)
  end
  if type(class) == "function" then return class end
  local from_config = type(class) == "table" and class.from_config
  if not from_config then
    errors.raise("'%s' is not a class that can be made from a configuration",
      tostring(config.class_name))
  end
  local inner = config.config
  if inner == nil or inner == null then inner = {} end
  if type(inner) ~= "table" then
    errors.raise("%s: the configuration should be a table, got %s", tostring(config.class_name),
      errors.describe(inner))
  end
  local object = from_config(class, present_form(class, inner))
  if options.build ~= false and context.get().deserializing == 1 then
    build_from_config(object, config.build_config)
  end
  return object
end

local function deserialize_nested(config, options)
  local depth = context.get().deserializing or 0
  if depth >= max_depth then errors.raise("objects are nested deeper than %d levels", max_depth) end
  return context.within({deserializing = depth + 1}, deserialize_class, config, options)
end

local deserialize

--- The value of a serialised form.
-- @param config a table with `class_name` and `config` (`module` and `registered_name` may be
-- absent), a list of these, or a plain value; objects are returned unchanged
-- @tparam[opt] table options `module`: where to look for classes without one; `custom_objects`;
-- `build = false` leaves it unbuilt
-- @raise for an unknown class or function, naming it
function registry.deserialize(config, options)
  options, config = options or {}, nulls.ours(config)
  if options.custom_objects then
    local inner = {module = options.module, build = options.build}
    return registry.with_custom_objects(options.custom_objects, registry.deserialize, config, inner)
  end
  return deserialize(config, options, 0)
end

function deserialize(config, options, tables)
  if config == nil or config == null then return nil end
  if not kinds.is_plain(config) then return config end
  local form = special[config.class_name]
  if form then return form(config, options) end
  if config.class_name ~= nil then return deserialize_nested(config, options) end
  local result, inner = {}, structure.deeper(tables)
  for key, value in pairs(config) do
    value = deserialize(value, options, inner)
    result[key] = value == nil and null or value
  end
  return result
end

return registry
