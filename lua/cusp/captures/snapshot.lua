--- A snapshot of all Lua values that a trace can see, and the comparison with a later one.
--
-- A snapshot covers upvalues of the user's functions and of functions that they reach, the globals
-- that these name, fields of layers, models and other objects, entries of plain tables, the methods
-- of the user's classes, and which variables are trainable. It does not enter the library's own
-- functions and modules.
-- @module cusp.captures.snapshot
local Object = require "cusp.base.class"
local config = require "cusp.base.config"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local replicas = require "cusp.base.replicas"

local rawequal, rawget, rawlen = rawequal, rawget, rawlen
local next, type, getmetatable, number_type = next, type, getmetatable, math.type
local getupvalue, raw_metatable = debug.getupvalue, debug.getmetatable

-- Limit for plain tables: a larger one is data, compared by identity and length.
local max_entries = 256
-- After this many records, the contents of plain tables count as data.
local max_records = 20000

local snapshot = {}
local absent = {} -- stands for nil among upvalues and globals
local metatable = {} -- stands for the key of a table's metatable

-- Fields that runs change without affecting the computation, and the library's own, which are
-- compared separately.
local volatile = lists.names [[__own __order history stop_training stop_evaluating
  stop_predicting built]]

-- Fields of a layer of the library that are only read when it is built.
local before_built = lists.names([[build kernel_initializer bias_initializer
  recurrent_initializer embeddings_initializer depthwise_initializer pointwise_initializer
  gamma_initializer beta_initializer alpha_initializer moving_mean_initializer
  moving_variance_initializer]], volatile)

-- The training state of a nested model does not matter.
local training_state = lists.names([[optimizer loss compiled run_eagerly jit_compile
  steps_per_execution]], volatile)

-- Fields compared by identity: their contents do not change.
local closed = lists.names [[input_spec kernel_initializer bias_initializer recurrent_initializer
  embeddings_initializer gamma_initializer beta_initializer]]

local none = {}

---------------------------------------------------------------- what there is to be seen

local Walk = {}
Walk.__index = Walk

-- The modules of Lua and the library, which nobody changes.
local function modules()
  local known = {[_G] = true}
  for name, module in next, package.loaded do
    if (name .. "."):find "^cusp%." or _G[name] == module then known[module] = true end
  end
  return known
end

local function is_user_function(f)
  local info = debug.getinfo(f, "S")
  return info.what ~= "C" and not errors.is_library(info.source)
end

local function is_class(value) return rawget(value, "__super") ~= nil end

-- Whether a metatable belongs to the library: its functions, or those of its bases, do.
local function is_ours(meta)
  local index = rawget(meta, "__index")
  for _, methods in ipairs{meta, type(index) == "table" and index or nil} do
    for _, f in next, methods do
      if type(f) == "function" then return not is_user_function(f) end
    end
  end
  return false
end

-- Whether a trace can see a table's entries; it does not see those of the library's own structures.
local function is_open(value)
  local meta = getmetatable(value)
  if meta == nil then return true end
  if type(meta) ~= "table" then return false end
  return Object.is_instance(value) or meta.__jsontype ~= nil or meta.__volatile or not is_ours(meta)
end

-- 3 and 3.0 are equal, but promote differently; 0.0 and -0.0 have other quotients.
local function exact_type(value)
  return value == 0 and 1 / value < 0 and "negative zero" or number_type(value)
end

-- `owner` is the object whose own fields a table holds; `counted` says that nothing else tells of
-- new entries.
function Walk:note(kind, of, copy, ignored, owner, counted)
  local count, exact = 0, {}
  for key, value in next, copy do
    count = count + 1
    if math.tointeger(value) then exact[key] = exact_type(value) end
  end
  local record = {
    kind = kind, of = of, copy = copy, count = count, exact = exact, ignored = ignored,
    owner = owner, counted = counted, metatable = counted and raw_metatable(of),
  }
  table.insert(self.records, record)
  self.by[kind][of] = record
end

function Walk:entries(value, ignored, owner, counted)
  local copy = {}
  for key, item in next, value do
    if not ignored[key] then copy[key] = item end
  end
  self:note("table", value, copy, ignored, owner, counted ~= false)
  return copy
end

function Walk:visit_all(values)
  for _, value in next, values do self:visit(value) end
end

local function is_state(value)
  if type(value) == "table" and getmetatable(value) == nil then value = value[1] end
  return engine.is_variable(value)
end

function Walk:fields(object)
  local trained = self.training == "all" or self.training == object
  local within = object.__is_model and not trained
  -- Optimizer and metric state is never trainable.
  local keeps_state = not object.__is_layer and getmetatable(object).__library
  local function visit_fields(fields, unseen)
    for key, value in next, fields do
      if not unseen[key] and not (keeps_state and is_state(value)) then self:visit(value) end
    end
  end
  local own, is_library = object.__own, getmetatable(object).__library
  Object.watch(object)
  local unread = within and training_state
    or is_library and object.__is_layer and object.built and before_built or volatile
  visit_fields(self:entries(object, unread, nil, not is_library), closed)
  visit_fields(self:entries(own, within and object.__untrained or object.__passing, object, false),
    object.__closed)
  if own.weights then
    for _, weight in ipairs(own.weights) do self:visit(weight.variable) end
  end
  self:visit_all(own.graph and own.graph.operations or none)
  self:class(getmetatable(object))
end

-- The methods and fields of the user's classes, except for those of the class mechanism, which
-- never change.
function Walk:class(class)
  while class and class ~= Object and not class.__library and not self.seen_classes[class] do
    self.seen_classes[class] = true
    local ignored = {}
    for key in next, class do
      if type(key) == "string" and key:find "^__" then ignored[key] = true end
    end
    self:visit_all(self:entries(class, ignored))
    class = rawget(class, "__super")
  end
end

local function is_large(value)
  local count = 0
  for _ in next, value do
    count = count + 1
    if count > max_entries then return true end
  end
  return false
end

function Walk:table(value)
  if self.modules[value] then return end
  if is_class(value) then return self:class(value) end
  local meta = getmetatable(value)
  local wrapped = type(meta) == "table" and rawget(meta, "__wraps")
  if wrapped then return self:visit(value[wrapped]) end
  if not is_open(value) then return end
  if Object.is_instance(value) then return self:fields(value) end
  if is_large(value) or #self.records > max_records then
    self:note("length", value, {rawlen(value)})
  else
    self:visit_all(self:entries(value, meta and meta.__volatile or none))
  end
  if meta then self:visit(meta) end
end

local function global(environment, name)
  local value = rawget(environment, name)
  if value == nil then
    local meta = getmetatable(environment)
    local outer = type(meta) == "table" and rawget(meta, "__index")
    if type(outer) == "table" then value = rawget(outer, name) end
  end
  return value == nil and absent or value
end

-- The globals that a function may name. In dumped code, a short string is a tag, its length and its
-- bytes.
function Walk:globals(f, environment)
  local code, copy = string.dump(f, true), {}
  for at, size in code:gmatch "()\4([\x82-\xff])" do
    local name = code:sub(at + 2, at + size:byte() - 0x80)
    local value = name:find "^[%a_][%w_]*$" and global(environment, name)
    if value and not self.modules[value] then copy[name] = value end
  end
  local known = self.by.globals[environment]
  if not known then
    self:note("globals", environment, copy)
  else
    for name, value in next, copy do known.copy[name] = value end
  end
  self:visit_all(copy)
end

-- Of the library's functions, only the user's functions that they wrap are visible.
function Walk:closure(f)
  local own, copy, i = is_user_function(f), {}, 1
  for _ = 1, 255 do
    local name, value = getupvalue(f, i)
    if not name then break end
    if own and name == "_ENV" then
      if type(value) == "table" then self:globals(f, value) end
    elseif own or type(value) == "function" and is_user_function(value) then
      copy[i] = value == nil and absent or value
    end
    i = i + 1
  end
  if next(copy) == nil then return end
  self:note("function", f, copy)
  self:visit_all(copy)
end

function Walk:visit(value)
  local kind = type(value)
  if kind ~= "table" and kind ~= "function" and kind ~= "userdata" then return end
  if self.seen[value] then return end
  self.seen[value] = true
  if kind == "function" then return self:closure(value) end
  if kind == "table" then return self:table(value) end
  if not engine.is_variable(value) then return end
  local regularizer, constraint = value.regularizer, value.constraint
  table.insert(self.variables, {
    kind = "variable", of = value, trainable = value.trainable, regularizer = regularizer,
    constraint = constraint,
  })
  self:visit(regularizer)
  self:visit(constraint)
end

--- Takes a snapshot.
-- @tparam table options `root`: where a trace starts; `training`: the model whose optimizer and
-- losses are part of a trace, or "all" for every model reached
-- @treturn table
function snapshot.take(options)
  local walk = setmetatable({
    records = {}, variables = {}, by = {table = {}, length = {}, globals = {}, ["function"] = {}},
    seen = {[absent] = true}, seen_classes = {},
    modules = modules(), training = options.training,
  }, Walk)
  walk:visit(options.root)
  walk.floatx, walk.epsilon = engine.get_floatx(), config.epsilon()
  walk.changes, walk.replicas = engine.variable_changes(), replicas.active
  return walk
end

---------------------------------------------------------------- comparing

local function same(a, b)
  return (rawequal(a, b) or a ~= a and b ~= b) and exact_type(a) == exact_type(b)
end

local compare = {}

-- Each returns the key of a changed value, or nil if all are equal.
function compare.table(record)
  local copy, ignored, count = record.copy, record.ignored, 0
  for key, value in next, record.of do
    local noted = copy[key]
    if noted == value then
      count = count + 1
    elseif not ignored[key] then
      if not same(noted, value) then return key end
      count = count + 1
    end
  end
  for key, number in next, record.exact do
    if exact_type(rawget(record.of, key)) ~= number then return key end
  end
  if record.counted and raw_metatable(record.of) ~= record.metatable then return metatable end
  if count == record.count then return nil end
  for key in next, copy do
    if rawget(record.of, key) == nil then return key end
  end
end

function compare.length(record)
  local noted = record.copy[1]
  return noted and rawlen(record.of) ~= noted and 1 or nil
end

function compare.globals(record)
  for name, noted in next, record.copy do
    if not same(global(record.of, name), noted) then return name end
  end
end

compare["function"] = function(record)
  for i, noted in next, record.copy do
    local _, value = getupvalue(record.of, i)
    if value == nil then value = absent end
    if not same(value, noted) then return i end
  end
end

local function compare_variable(record)
  local variable = record.of
  if variable.trainable ~= record.trainable then return "trainable" end
  if not rawequal(variable.regularizer, record.regularizer) then return "regularizer" end
  if not rawequal(variable.constraint, record.constraint) then return "constraint" end
end

-- Variables are compared only if a field of some variable was set since the last comparison.
local function changed_variable(state)
  local changes = engine.variable_changes()
  if changes == state.changes then return nil end
  for _, record in ipairs(state.variables) do
    local key = compare_variable(record)
    if key then return record, key end
  end
  state.changes = changes
end

local function changed_record(state)
  local records = state.records
  for i = 1, #records do
    local record = records[i]
    local key = compare[record.kind](record)
    if key ~= nil then return record, key end
  end
  state.watch, state.additions = engine.watch(records, absent), Object.additions()
end

local function changed_setting(state)
  local variable, field = changed_variable(state)
  if variable then return variable, field end
  if engine.get_floatx() ~= state.floatx then return none, "floatx" end
  if config.epsilon() ~= state.epsilon then return none, "epsilon" end
  if replicas.active ~= state.replicas then return none, "the distribution" end
end

--- The first record of a snapshot with a changed value, and its key; nil if there is none.
function snapshot.difference(state)
  local record, key = changed_record(state)
  if record then return record, key end
  return changed_setting(state)
end

--- Whether nothing has changed, as far as can be seen at a glance; where it is false, `difference`
-- tells.
function snapshot.is_same(state)
  return state.watch ~= nil and state.additions == Object.additions() and state.watch:same()
    and not changed_setting(state)
end

---------------------------------------------------------------- what the traced function itself
---------------------------------------------------------------- writes

--- The keys of a record whose values differ in a later one.
function snapshot.written(before, after)
  local keys = {}
  for key, value in next, after.copy do
    if not same(before.copy[key], value) then keys[key] = true end
  end
  for key in next, before.copy do
    if after.copy[key] == nil then keys[key] = true end
  end
  return keys
end

--- Stops comparing a key.
function snapshot.forget(state, record, key)
  state.watch = nil
  if record.copy[key] ~= nil then
    record.copy[key], record.exact[key] = nil, nil
    record.count = record.count - 1
  end
  if record.kind == "table" then
    local ignored = {[key] = true}
    for name in next, record.ignored do ignored[name] = true end
    record.ignored = ignored
  end
end

---------------------------------------------------------------- in words

--- Describes what changed.
function snapshot.describe(record, key)
  if record.kind == "function" then
    local info = debug.getinfo(record.of, "S")
    local name, text = getupvalue(record.of,
      key), "the local '%s', which the function at %s:%d uses,"
    return text:format(name, info.short_src, info.linedefined)
  end
  if record.kind == "globals" then return ("the global '%s'"):format(key) end
  if key == metatable then return "the metatable of a table" end
  local object = record.owner or record.of
  local class, name = Object.class_of(object), tostring(rawget(object, "name") or "an object")
  if class then return ("the field '%s' of %s (%s)"):format(key, name, class.__name) end
  return ("the entry '%s' of a table"):format(key)
end

return snapshot
