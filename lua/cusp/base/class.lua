--- Classes: single inheritance, declared configurations, tracked fields.
--
--     local Scale = Layer:extend("Scale", {
--       config = {{"factor", "number", default = 1}},
--       call = function(self, x) return x * self.factor end,
--     })
--     local layer = Scale{2}
--
-- A class with a declared `config` and no `init` gets an `init` that reads, checks and stores the
-- arguments and then calls its base's. An `init` that the program writes finds them stored, too.
-- The class also gets a `get_config` that adds its values to its base's. The `config` is in Keras's
-- positional order; see cusp.base.kinds for the kinds. An instance is a table whose metatable is
-- its class. Fields are looked up in the instance, in the class and its bases, and then among the
-- getters (`Class.__getters.weights = function(self) ... end`); setters work the same way.
-- `self.__order` keeps the names of fields in the order of their first assignment. What the library
-- keeps of an object for itself is in the plain table `self.__own`, which exists from the start: it
-- asks no getter, nothing in it is tracked, and it cannot meet a user's name. Classes name in
-- `__passing` and `__closed` what traces need not compare.
-- @classmod cusp.Object
local absent = require "cusp.base.absent"
local arguments = require "cusp.base.arguments"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local methods = require "cusp.base.methods"
local nulls = require "cusp.base.nulls"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"

local Object = {__name = "Object", __getters = {}, __setters = {}}
local getmetatable, rawget, rawset, setmetatable = getmetatable, rawget, rawset, setmetatable

---------------------------------------------------------------- all classes by name

local classes = {}     -- name → the class made last
local by_module = {}   -- "keras.layers" → name → the library's class
Object.classes = classes

--- The class of that name.
-- @tparam string name
-- @tparam[opt] string module such as "keras.layers": the library's class of that module takes
-- precedence
-- @treturn ?table
function Object.find(name, module)
  local own = module and by_module[module]
  return own and own[name] or classes[name]
end

local function register(class)
  -- Loading the library's classes on demand must not hide a class of the program.
  local known = classes[class.__name]
  if not (class.__library and known and not known.__library) then classes[class.__name] = class end
  if class.__library and class.__module then
    by_module[class.__module] = by_module[class.__module] or {}
    by_module[class.__module][class.__name] = class
  end
end

---------------------------------------------------------------- instances

-- Metamethods that a class passes on: Lua looks them up only in the metatable itself.
local inherited = {}
for event in ([[call tostring len eq lt le close gc add sub mul div unm concat pairs idiv mod pow
  band bor bxor bnot shl shr]]):gmatch "%l+" do
  inherited[#inherited + 1] = "__" .. event
  inherited["__" .. event] = true
end

local children = setmetatable({}, {__mode = "k"}) -- class → classes derived from it, as keys

-- Takes from a base the metamethods that the class has not got from elsewhere, `before` being what
-- it had of the base until now.
local function hand_down(class, super, before)
  for _, event in ipairs(inherited) do
    if rawget(class, event) == before[event] then
      before[event] = rawget(super, event)
      rawset(class, event, before[event])
    end
  end
end

-- method with a check → the original method
local behind = setmetatable({}, {__mode = "k"})

-- Puts the reading of the declared arguments before the `init` of a class of the program.
local function configure_first(class)
  local init = rawget(class, "init")
  if not init or behind[init] or not rawget(class, "config") then return end
  local function configured(self, args)
    args = arguments.wrap(class, args)
    Object.configure(self, args, class)
    return init(self, args)
  end
  behind[configured] = init
  rawset(class, "init", configured)
end

-- A class of the program gets what was added to it and its bases since it was made.
local function refresh(class)
  local super = class.__super
  if class.__library or not super then return end
  refresh(super)
  configure_first(class)
  hand_down(class, super, rawget(class, "__handed"))
end

local function refresh_below(class)
  for child in pairs(children[class] or {}) do
    refresh(child)
    refresh_below(child)
  end
end

local last, check_assignment = absent.last, absent.check_assignment

local function lookup_in(class)
  local getters, own = class.__getters, class.__lookup
  return function(self, key)
    local value = class[key]
    if value ~= nil then return value end
    local getter = getters[key]
    if getter then return getter(self) end
    if own then
      value = own(self, key)
      if value ~= nil then return value end
    end
    last.class, last.name = class, key
    return nil
  end
end

local additions = 0 -- new fields of objects that are watched

--- A number that grows whenever an object that is watched gets a new field.
-- @local
function Object.additions() return additions end

-- Metatables of the tables in `__own` of watched objects, by class.
local watching = setmetatable({}, {__mode = "k"})

local function watch_of(class)
  local passing = class.__passing
  return {__newindex = function(own, key, value)
    if not passing[key] then additions = additions + 1 end
    rawset(own, key, value)
  end}
end

--- Has `additions` count the new fields of an object.
-- @local
function Object.watch(object)
  local class = getmetatable(object)
  watching[class] = watching[class] or watch_of(class)
  setmetatable(object.__own, watching[class])
end

local function assignment_in(class)
  local setters = class.__setters
  return function(self, key, value)
    local setter = setters[key]
    if setter then return setter(self, value) end
    local order = rawget(self, "__order")
    if class.__library and type(key) == "string" then check_assignment(self, key) end
    local own = rawget(self, "__own")
    if own and getmetatable(own) then additions = additions + 1 end
    if order and not order[key] and type(key) == "string" then
      order[#order + 1] = key
      order[key] = #order
    end
    rawset(self, key, value)
  end
end

--- An instance made without arguments and without `init`, for special constructors.
function Object.allocate(class)
  return setmetatable({__order = {}, __own = {}}, class)
end

-- Fields in `__own` that come and go without changing what is computed.
Object.__passing = {}
-- Fields in `__own` that stand for what is in them: that stays the same, or is looked at elsewhere.
Object.__closed = {}

local function build(class, args, lenient)
  if not class.__library then
    methods.check(class)
    refresh(class)
  end
  local construct = class.__construct
  local object = construct and construct(class, args)
  if not object then
    object = Object.allocate(class)
    object:init(args)
  end
  arguments.check_read(args, lenient)
  local constructed = object.__constructed
  if constructed then constructed(object, args)
  elseif not class.__library then require("cusp.base.given_arguments").record_plain(object,
    args) end
  return object
end

-- A class may have a quick way to make what a call without arguments gives, for itself alone.
local function construct(class, ...)
  local quick = rawget(class, "__construct_default")
  if quick and select("#", ...) == 0 then return quick(class) end
  local space = absent.path_of((...))
  if space then
    errors.raise("%s: write it with a dot, %s.%s(...); with a colon, the first argument is %s",
      class.__name, space, class.__name, space)
  end
  return build(class, arguments.of_call(class, ...))
end

---------------------------------------------------------------- making classes

local function own_init(class, super)
  local function init(self, args)
    args = arguments.wrap(class, args)
    Object.configure(self, args, class)
    return super.init(self, args)
  end
  behind[init] = init
  return init
end

-- Serialises a layer inside once: if each class of a chain repeated it, nested wrappers would take
-- 2^n times as long.
local function is_written(config, parameter, super)
  local above = parameter[2] == "layer" and arguments.declaration(super).named[parameter[1]]
  return above and above[2] == "layer" and config[parameter[1]] ~= nil
end

local function own_get_config(class, super)
  return function(self)
    local config = super.get_config(self)
    for _, parameter in ipairs(rawget(class, "config")) do
      local omitted = parameter.transient
        or parameter.omit_default and self[parameter[1]] == parameter.default
      if not omitted and not is_written(config, parameter, super) then
        ordered.set(config, parameter[1], kinds.to_config(parameter, self[parameter[1]]))
      end
    end
    return config
  end
end

-- Whether the caller of `extend` is a file of the library. `return Base:extend(...)` is a tail
-- call, which hides its file; in that case the methods decide.
local function made_by_library(members)
  local caller = debug.getinfo(3, "S")
  if caller and errors.is_library(caller.source) then return true end
  if not debug.getinfo(2, "t").istailcall then return false end
  for _, member in pairs(members or {}) do
    if type(member) == "function" and errors.is_library(debug.getinfo(member, "S").source) then
      return true
    end
  end
  return false
end

--- The original method, if `f` is one with a check; else `f`.
function Object.method_behind(f) return behind[f] or f end

-- Public methods of the library's classes that say so where they are called with a dot.
local receivers = {}
for name in ([[add pop compile get_layer save save_weights load_weights to_json to_yaml get_weights
  set_weights count_params add_weight add_loss get_config apply apply_gradients assign
  reset_state update_state result adapt set_vocabulary get_vocabulary vocabulary_size
  get_initial_state call build set_model]]):gmatch "%S+" do
  receivers[name] = true
end

local function refuse_receiver(class, name, self)
  if Object.is_subclass(self, Object) then
    errors.raise("%s: call it on an object, not on the class: %s{...}:%s(...)", name, self.__name,
      name)
  end
  local what = class.__is_model and "model" or "object"
  errors.raise("%s: write it with a colon, %s:%s(...); with a dot, the first argument is taken"
    .. " for the %s (expected %s, got %s)", name, what, name, what, class.__name,
    errors.describe(self))
end

local function with_receiver(class, name, method)
  if not receivers[name] then return method end
  local function checked(self, ...)
    local holder = getmetatable(self)
    if holder ~= class and not Object.is_subclass(holder, class) then
      refuse_receiver(class, name, self)
    end
    return method(self, ...)
  end
  behind[checked] = method
  return checked
end

-- Puts a check of its arguments before a library method: `Base.__checks.NAME(self, ...)` applies to
-- all classes derived from Base.
local function with_check(class, name, method)
  if not class.__library or type(method) ~= "function" then return method end
  local check = class.__super.__checks[name]
  if not check then return with_receiver(class, name, method) end
  local function checked(self, ...)
    -- A class that passes on a converted argument (`Base.build(self, shape)`) has been checked
    -- already.
    local holder = getmetatable(self)
    if type(holder) ~= "table" or (holder[name] or self[name]) == checked then check(self, ...) end
    return method(self, ...)
  end
  behind[checked] = method
  return checked
end

local function define_member(class, name, value)
  rawset(class, name, with_check(class, name, value))
  if inherited[name] then refresh_below(class) end
end

-- An `__index` among the members is asked last, for what neither class nor getters have.
local function own_lookup(name, members)
  if members.__newindex ~= nil then
    errors.raise("extend: class '%s' cannot have __newindex; __setters = {field = function(self,"
      .. " value) ... end} is called for a field", name)
  end
  local index = members.__index
  if type(index) == "table" then return function(_, key) return index[key] end end
  return index
end

local taken_apart = {__index = true, __getters = true, __setters = true}

local function define_members(class, name, members)
  for key, value in pairs(members) do
    if not taken_apart[key] then class[key] = with_check(class, key, value) end
  end
  for _, kind in ipairs{"__getters", "__setters"} do
    for field, f in pairs(members[kind] or {}) do class[kind][field] = f end
  end
  class.__lookup = own_lookup(name, members) or class.__super.__lookup
end

local function check_declaration(name, config)
  if config == nil then return end
  local ok = kinds.is_plain(config)
  for i = 1, ok and #config or 0 do
    ok = ok and kinds.is_plain(config[i]) and type(config[i][1]) == "string"
  end
  if not ok then
    errors.raise(
      "extend: `config` of class '%s' should be a list of parameters {name, kind, ...}, got %s",
      name,
      errors.describe(config))
  end
end

--- Makes a class. You may add further methods to it afterwards.
-- @tparam string name also used to find the class when a saved model is loaded
-- @tparam[opt] table members methods and class fields, copied; `config` declares the arguments
-- @treturn table the class; call it, `Class(...)` or `Class{...}`, to make an instance
function Object.extend(super, name, members)
  if type(name) ~= "string" then
    errors.raise("extend: the name of the class should be a string, got %s", errors.describe(name))
  end
  if members ~= nil and type(members) ~= "table" then
    errors.raise("extend: the members of class '%s' should be a table, got %s", name,
      errors.describe(members))
  end
  check_declaration(name, members and members.config)
  local class = {
    __getters = setmetatable({}, {__index = super.__getters}),
    __setters = setmetatable({}, {__index = super.__setters}),
  }
  class.__name, class.__super, class.__handed = name, super, {}
  hand_down(class, super, class.__handed)
  children[super] = children[super] or setmetatable({}, {__mode = "k"})
  children[super][class] = true
  class.__library = made_by_library(members)
  define_members(class, name, members or {})
  class.__index, class.__newindex = lookup_in(class), assignment_in(class)
  setmetatable(class, {
    __index = super,
    __newindex = define_member,
    __call = construct,
    __name = "class",
    __tostring = function() return "class " .. name end,
  })
  if rawget(class, "config") then
    if rawget(class, "init") == nil then class.init = own_init(class, super) end
    if rawget(class, "get_config") == nil then class.get_config = own_get_config(class, super) end
  end
  register(class)
  return class
end

--- An object is made by calling its class; this says so.
-- @local
function Object.new(class)
  local name = type(class) == "table" and class.__name or "Class"
  errors.raise("%s: there is no `new`; call the class: %s{...}", name, name)
end

--- The end of every chain of `init`.
function Object:init() end

--- Reads, checks and stores the arguments that `class` itself declares (not those of its bases).
-- @tparam table args the arguments that `init` received
-- @tparam[opt] table class by default the nearest of the object's classes that declares arguments
function Object:configure(args, class)
  class = class or getmetatable(self)
  while not rawget(class, "config") and class.__super do class = class.__super end
  args = arguments.wrap(class, args)
  -- If a class redeclares an argument of its base with another default, the class wins.
  local named = arguments.declaration(getmetatable(self)).named
  for _, parameter in ipairs(rawget(class, "config") or {}) do
    self[parameter[1]] = arguments.read(args, named[parameter[1]] or parameter, self.__name)
  end
end

---------------------------------------------------------------- configurations

--- The arguments for `from_config` to make an equal object: Keras's names, 0-based axes, null for
-- nil.
-- @treturn table
function Object:get_config()
  return ordered.object()
end

--- Raises if `from_config` was not called as `Class:from_config(config)`: for example with a dot,
-- as in Python.
function Object.expect_config(class, config)
  if not Object.is_subclass(class, Object) then
    errors.raise("from_config: expected a class and a configuration: Class:from_config(config), "
      .. "with a colon")
  end
  if type(config) ~= "table" then
    errors.raise("%s: a configuration should be a table, got %s", class.__name,
      errors.describe(config))
  end
end

--- Checks of arguments by method name, see `extend`.
Object.__checks = {from_config = Object.expect_config}

--- Makes an object from its configuration.
-- @tparam table class
-- @tparam table config as returned by `get_config`, or decoded from a file
-- @raise for a key that the class does not know, unless its value is null, false or empty
function Object.from_config(class, config)
  Object.expect_config(class, config)
  config = nulls.ours(config)
  local named, keywords = arguments.declaration(class).named, {}
  for key, value in pairs(config) do
    if type(key) ~= "string" then
      errors.raise("%s: a configuration has string keys, got %s", class.__name,
        errors.describe(key))
    end
    keywords[key] = named[key] and kinds.from_config(named[key], value) or value
  end
  return build(class, arguments.of_keywords(class, keywords), true)
end

---------------------------------------------------------------- questions

--- Whether `class` is `base` or derived from it.
function Object.is_subclass(class, base)
  if type(class) ~= "table" then return false end
  while class do
    if class == base then return true end
    class = rawget(class, "__super")
  end
  return false
end

--- Whether a value is an instance of a class or of one derived from it.
-- @param value anything
-- @tparam[opt] table class Object by default: an instance of any class
function Object.is_instance(value, class)
  return type(value) == "table" and Object.is_subclass(getmetatable(value), class or Object)
end

--- Whether an instance's class is the program's, and has a method of its own.
-- @param value an instance
-- @tparam string name
-- @treturn boolean
function Object.overrides(value, name)
  local class = getmetatable(value)
  local library = class
  while not library.__library and library.__super do library = library.__super end
  return class[name] ~= library[name]
end

--- The class of an instance; nil for other values.
function Object.class_of(value)
  return Object.is_instance(value) and getmetatable(value) or nil
end

local function is_default(parameter, value)
  if value == nil or value == parameter.default then return true end
  local config = kinds.to_config(parameter, value)
  return config == parameter.default
    or type(parameter.default) == "string"
    and plain.lower(plain.tostring(value)) == plain.lower(parameter.default)
end

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if kinds.is_plain(value) then
    local parts = {}
    for i = 1, #value do parts[i] = show(value[i]) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return plain.tostring(value)
end

--- "Dense{units = 32, activation = relu}": only what differs from the defaults.
function Object:__tostring()
  local class, parts = getmetatable(self), {}
  local declaration = arguments.declaration(class)
  for _, parameter in ipairs(declaration.config or declaration.positional) do
    local value = rawget(self, parameter[1])
    if not is_default(parameter, value) then
      parts[#parts + 1] = ("%s = %s"):format(parameter[1], show(value))
    end
  end
  return ("%s{%s}"):format(class.__name, table.concat(parts, ", "))
end

--- Adds a kind of argument; see `cusp.base.kinds.define`.
function Object.kind(name, kind)
  kinds.define(name, kind)
end

Object.__index = lookup_in(Object)
Object.__newindex = assignment_in(Object)

return setmetatable(Object, {__call = construct, __tostring = function() return "class Object" end})
