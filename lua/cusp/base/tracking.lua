--- The layers, variables and metrics in the fields of a layer, including those in lists, in the
-- order of assignment.
-- @module cusp.base.tracking

local engine = require "cusp.engine"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"
local structure = require "cusp.base.structure"

local tracking = {}

-- The tracked kind of the instances of each library class; false where they hold nothing tracked.
-- User classes are left out, because they may get methods later.
local known_kinds = setmetatable({}, {__mode = "k"})

local function kind_of_class(class)
  if class.__is_layer then return "layer" end
  if class.update_state and class.result then return "metric" end
  return nil
end

--- The tracked kind of a value: "variable", "layer", "metric", or nil.
function tracking.kind(value)
  if type(value) == "userdata" then return engine.is_variable(value) and "variable" or nil end
  if type(value) ~= "table" then return nil end
  local class = getmetatable(value)
  if type(class) ~= "table" then return nil end
  local kind = known_kinds[class]
  if kind == nil then
    kind = kind_of_class(class)
    if rawget(class, "__library") then known_kinds[class] = kind or false end
  end
  return kind or nil
end

--- Whether a table of a user's class holds only tracked values, by name: a map of layers.
local function is_map(value)
  local meta = getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__getters") or next(value) == nil then return false end
  for key, item in next, value do
    if type(key) ~= "string" or not tracking.kind(item) then return false end
  end
  return true
end

--- The keys of a table whose items are tracked: integers in order (they may start anywhere and have
-- gaps), then names. In a list of a user's class only the items count; other fields belong to the
-- class.
-- @treturn ?{integer|string,...} nil for a value that holds nothing
function tracking.keys(value)
  if type(value) ~= "table" then return nil end
  local container = structure.is_container(value)
  if not container and not is_map(value) then return nil end
  local positions, by_name = {}, {}
  for key in next, value do
    if math.type(key) == "integer" then positions[#positions + 1] = key
    elseif type(key) == "string" then by_name[#by_name + 1] = key end
  end
  table.sort(positions)
  if container and lists.is_foreign(value) then return positions end
  plain.sort(by_name)
  return table.move(by_name, 1, #by_name, #positions + 1, positions)
end

local walk

-- Of a plain table: how many of its items may be tracked or hold what is, and one of these.
local function candidates(value)
  local count, found = 0, nil
  for key, item in next, value do
    local kind = type(item)
    if (kind == "table" or kind == "userdata")
      and (type(key) == "string" or math.type(key) == "integer") then
      count, found = count + 1, item
    end
  end
  return count, found
end

local function is_plain_list(value)
  if getmetatable(value) ~= nil then return false end
  local count = 0
  for key in next, value do
    if math.type(key) ~= "integer" then return false end
    count = count + 1
  end
  return count == rawlen(value)
end

-- Plain lists, and plain tables with one candidate, are walked without a list of their keys.
local function walk_table(value, visit, seen)
  if seen[value] then return end
  seen[value] = true
  if is_plain_list(value) then
    for i = 1, #value do walk(value[i], visit, seen) end
    return
  end
  if getmetatable(value) == nil then
    local count, found = candidates(value)
    if count == 1 then walk(found, visit, seen) end
    if count < 2 then return end
  end
  for _, key in ipairs(tracking.keys(value) or {}) do walk(rawget(value, key), visit, seen) end
end

function walk(value, visit, seen)
  local kind = type(value)
  if kind == "userdata" then
    if engine.is_variable(value) then visit("variable", value) end
  elseif kind == "table" then
    kind = tracking.kind(value)
    if kind then return visit(kind, value) end
    if known_kinds[getmetatable(value)] == nil and next(value) ~= nil then
      walk_table(value, visit, seen)
    end
  end
end

--- Calls `visit(kind, value)` for each tracked value directly in a layer.
function tracking.each(layer, visit)
  local seen = {}
  for _, name in ipairs(layer.__order) do
    local value = rawget(layer, name)
    local kind = type(value)
    if kind == "table" or kind == "userdata" then walk(value, visit, seen) end
  end
end

--- The list without duplicates.
function tracking.unique(list)
  local seen, result = {}, {}
  for _, item in ipairs(list) do
    if not seen[item] then
      seen[item] = true
      result[#result + 1] = item
    end
  end
  return result
end

return tracking
