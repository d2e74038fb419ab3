--- All-or-nothing changes: building layers, tracing steps, creating the state of optimizers.
-- Everything that they may change is copied first. After an error or interrupt it is restored in
-- one step that cannot be interrupted. Only one-time work goes through here, nothing that runs per
-- batch.
-- @module cusp.base.whole
local Object = require "cusp.base.class"
local context = require "cusp.base.context"
local engine = require "cusp.engine"

local whole = {}
local next, type, getmetatable, rawget = next, type, getmetatable, rawget

local always = {} -- tables and variables of the library's own that whatever is built changes

--- Adds a table or a variable to what is copied for every change.
function whole.keep(value) always[#always + 1] = value end

local Only = {}

--- Tables whose own fields only are copied when an object's field holds them, not what these hold.
function whole.only(tables) return setmetatable(tables, Only) end

---------------------------------------------------------------- what is copied

local modules, modules_found = {}, -math.huge
-- Seconds after which to search the loaded modules again; a search takes longer than the copy for a
-- layer.
local seconds = 1

local function find_modules()
  if engine.monotonic() <= modules_found + seconds then return end
  modules, modules_found = {[_G] = true, [package.loaded] = true}, engine.monotonic()
  for _, module in pairs(package.loaded) do modules[module] = true end
end

-- Shared tables: modules, classes, the graph of symbolic calls, which only grows, and what changes
-- in any case.
local function is_foreign(value)
  local meta = getmetatable(value)
  if meta == nil then return modules[value] end
  return type(meta) == "table" and (meta.__symbolic or meta.__is_node or meta.__changes_last)
    or rawget(value, "__super") ~= nil
end

local function copy(value)
  local fields = {}
  for key, field in next, value do fields[key] = field end
  return fields
end

-- `how` is "deep" to copy everything reachable from the value too.
local function add(search, value, kept, how)
  local list = search.list
  local count = #list
  search.seen[value], list[count + 1], list[count + 2] = how, value, kept
end

local function add_alone(search, tables)
  for _, value in ipairs(tables) do
    if not search.seen[value] then add(search, value, copy(value), "alone") end
  end
end

local function add_table(search, value)
  if getmetatable(value) == Only then return add_alone(search, value) end
  if is_foreign(value) then return end
  local fields, waiting, seen = {}, search.waiting, search.seen
  for key, field in next, value do
    fields[key] = field
    local kind = type(field)
    if (kind == "table" or kind == "userdata") and seen[field] ~= "deep" then
      waiting[#waiting + 1] = field
    end
  end
  add(search, value, fields, "deep")
  local generator = fields.generator
  if type(generator) == "userdata" and Object.is_instance(value) and generator.state then
    waiting[#waiting + 1] = generator:state()
  end
end

local function add_all(search, roots)
  local waiting, seen = table.move(roots, 1, #roots, 1, {}), search.seen
  search.waiting = waiting
  while #waiting > 0 do
    local value = waiting[#waiting]
    waiting[#waiting] = nil
    local is_new = seen[value] ~= "deep"
    if is_new and type(value) == "table" then
      add_table(search, value)
    elseif is_new and engine.is_variable(value) then
      add(search, value, engine.unread_value(value), "deep")
    end
  end
end

local function take(roots, covered)
  find_modules()
  local search = {list = {}, seen = setmetatable({}, {__index = covered})}
  add_alone(search, roots.alone or {})
  add_all(search, always)
  add_all(search, roots)
  search.list.fields = roots.fields
  return search.list, search.seen
end

--- Notes a field in a list for `roots.fields`: of a large table, those that a change can reach.
-- @tparam table fields {table, key, value, ..., n = its length}
-- @tparam table of
-- @param key
function whole.note_field(fields, of, key)
  if key == nil then return end
  local n = fields.n or 0
  fields[n + 1], fields[n + 2], fields[n + 3], fields.n = of, key, of[key], n + 3
end

---------------------------------------------------------------- changing

local function is_covered(roots, covered)
  if not covered then return false end
  for _, root in ipairs(roots) do
    if covered[root] ~= "deep" then return false end
  end
  for _, value in ipairs(roots.alone or {}) do
    if not covered[value] then return false end
  end
  for i = 1, roots.fields and roots.fields.n or 0, 3 do
    if not covered[roots.fields[i]] then return false end
  end
  return true
end

--- Calls a function. After an error, everything reachable from the roots is restored, as are name
-- counters and random generators, and tapes opened meanwhile no longer record.
-- @tparam table roots objects; in `alone`, tables of which only the own fields are copied; in
-- `fields`, single fields (see `note_field`)
-- @tparam function f
-- @param ... its arguments
-- @return its results
function whole.with(roots, f, ...)
  local covered = context.get().covered
  if is_covered(roots, covered) then return f(...) end
  local list, seen = take(roots, covered)
  return context.within({covered = seen}, engine.whole, list, f, ...)
end

return whole
