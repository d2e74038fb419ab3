--- What a program asks for and does not find. To read an unknown name of a namespace gives nil, as
-- anywhere in Lua; to call it is an error that says what to write. A field of a tensor that is
-- almost one that there is, or another library's, is an error.
-- @module cusp.base.absent
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local foreign = require "cusp.base.foreign_names"
local lists = require "cusp.base.lists"
local rooms = require "cusp.base.rooms"
local warnings = require "cusp.base.warnings"

local absent = {}

-- Where a name may be that another namespace was asked for, in the order of looking.
local rooms_of_names = {"library", "layers", "ops", "ops.image", "losses", "metrics", "optimizers",
  "optimizers.schedules", "callbacks", "initializers", "regularizers", "constraints",
  "activations", "models", "utils", "data", "datasets", "random", "saving", "config"}

--- The `name` that was last asked for in vain, and the `class` of the object, the namespace
-- (`space`) or the advice (`text`) for it. Objects write class and name: they are asked often.
local last = {}
absent.last = last

local function add_names(names, t)
  for key in next, t or {} do
    if type(key) == "string" and key:sub(1, 1) ~= "_" then names[key] = true end
  end
end

--- All names of a namespace, loaded or not, as keys of a table.
-- @tparam table space
-- @treturn table
function absent.names(space)
  local names, meta = {}, getmetatable(space)
  local members = type(meta) == "table" and meta.__members
  local further = members and getmetatable(members)
  add_names(names, members)
  add_names(names, further and further.__index)
  add_names(names, space)
  return names
end

local function elsewhere(space, name)
  for _, room in ipairs(rooms_of_names) do
    local other = rooms.get(room)
    if other and other ~= space and absent.names(other)[name] then
      return ("%s.%s"):format(getmetatable(other).__name, name)
    end
  end
end

local function nearest(name, names)
  local near = errors.nearest(name, names, #name < 8 and 1 or 2)
  return near and ("did you mean '%s'?"):format(near)
end

local function foreign_name(kind, name)
  local ours = foreign[kind] and foreign[kind][name]
  return ours and "in Cusp: " .. ours
end

local function advice_of_space(space, name)
  local path = getmetatable(space).__name
  local other = foreign_name(path:match "[^.]+$", name)
  if other then return other end
  local names = absent.names(space)
  if names[name .. "s"] then return ("did you mean '%ss'?"):format(name) end
  other = elsewhere(space, name)
  return other and "it is " .. other or nearest(name, names)
end

---------------------------------------------------------------- namespaces

--- Notes that a namespace was asked for a name that it does not have.
-- @tparam table space
-- @tparam string name
-- @return nil
function absent.note(space, name)
  last.class, last.space, last.name = nil, space, name
  return nil
end

local function step(names, space)
  local at = 0
  return function()
    local value
    repeat
      at = at + 1
      value = names[at] and space[names[at]]
    until value ~= nil or not names[at]
    return names[at], value
  end
end

--- `pairs` of a namespace: all its members, in the order of their names.
function absent.pairs(space) return step(lists.keys(absent.names(space)), space) end

--- Gives a public function the name that errors of the engine within it are raised in.
-- @param value nothing is done with what is no function
-- @tparam string path "cusp.utils"
-- @tparam string name
function absent.name_function(value, path, name)
  if type(value) == "function" and not engine.composed[value] then
    engine.name_function(value, (("%s.%s"):format(path, name):gsub("^cusp%.", "")))
  end
end

--- The path of a namespace, "cusp.ops"; nil for other values.
function absent.path_of(value)
  local meta = type(value) == "table" and getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return name and rawget(meta, "__members") and name or nil
end

--- Makes a plain table of functions a namespace, so that calls of unknown names in it are told.
-- @tparam table space
-- @tparam string path "cusp.random"
-- @treturn table the same
function absent.watch(space, path)
  for name, value in next, space do absent.name_function(value, path, name) end
  return setmetatable(space, {__name = path, __members = {}, __index = absent.note,
    __tostring = function() return path end})
end

---------------------------------------------------------------- objects

local function names_of_class(class)
  local names = {}
  while type(class) == "table" do
    add_names(names, class)
    add_names(names, rawget(class, "__getters"))
    for _, parameter in ipairs(rawget(class, "config") or {}) do names[parameter[1]] = true end
    class = rawget(class, "__super")
  end
  return names
end

-- Fields of the library's objects that were assigned by the library itself, by class.
local assigned = setmetatable({}, {__mode = "k"})

--- Looks at the assignment of a new field of an object of the library: what a program calls almost
-- like a field that there is was hardly meant to be new.
-- @tparam table object
-- @tparam string name
function absent.check_assignment(object, name)
  local class = getmetatable(object)
  local known = assigned[class]
  if not known then
    known = {}
    assigned[class] = known
  end
  if known[name] or name:sub(1, 1) == "_" then return end
  if errors.is_library(debug.getinfo(3, "S").source) then known[name] = true end
  if known[name] or #name < 4 then return end
  local names = names_of_class(class)
  add_names(names, object)
  local near = not names[name] and nearest(name, names)
  known[name] = not near
  if near and not names[name .. "s"] then
    warnings.warn("%s has no field '%s', so this sets a new one; %s", class.__name, name, near)
  end
end

---------------------------------------------------------------- what the engine asks

-- What follows Lua's message about a call or an index of nil.
local function after_message(name)
  if name ~= last.name then return nil end
  local text = last.text
  if last.class then
    text = foreign_name("object", name) or nearest(name, names_of_class(last.class))
  elseif last.space then
    text = advice_of_space(last.space, name)
  end
  return text and "; " .. text
end

-- Fields that are nil and of which nothing is to be said: those that variables may have, and what
-- was asked for before. The engine looks here first.
local silent = {tensor = {}, variable = {name = true, path = true, regularizer = true,
  constraint = true, overwrite_with_gradient = true, aggregation = true, autocast = true,
  initializer = true}}

local fields = {tensor = {shape = true, dtype = true, ndim = true},
  variable = {shape = true, dtype = true, ndim = true, value = true, trainable = true}}

-- Names that are fields elsewhere, so that nobody calls them.
local read_elsewhere = {T = true, grad = true, requires_grad = true, device = true, data = true}

local advice_of_field = {tensor = {}, variable = {}} -- what was found out before

local function find_advice(what, name)
  local text = foreign_name(what, name)
  if text then return {text = text, is_read = read_elsewhere[name]} end
  text = nearest(name, fields[what])
  if text then return {text = text, is_read = true} end
  local names = {}
  add_names(names, engine.tensor_methods)
  if what == "variable" then add_names(names, engine.variable_methods) end
  text = nearest(name, names)
  return text and {text = text}
end

-- The value of a field that a tensor or variable does not have: nil, unless it is clear that
-- another field was meant.
local function field(what, name)
  local advice = advice_of_field[what][name] or find_advice(what, name)
  if not advice then
    silent[what][name] = true
    return nil
  end
  advice_of_field[what][name] = advice
  if advice.is_read then
    errors.raise("a %s has no field '%s'; %s", what, name, advice.text)
  end
  last.class, last.space, last.name, last.text = nil, nil, name, advice.text
  return nil
end

errors.set_advice(after_message)
engine.set_absent_handlers{call = after_message, field = field, tensor = silent.tensor,
  variable = silent.variable}

return absent
