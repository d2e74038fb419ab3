-- What Keras's public names and arguments are, and which of them are not here.
local Object = require "cusp.base.class"
local absent = require "spec.support.absent"
local cases = require "spec.support.cases"
local cusp = require "cusp"
local help = require "cusp.prompt.help"

local surface = {}

--- The value of a dotted name below cusp; nil where there is none.
function surface.find(path)
  local value = cusp
  for name in path:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

-- Arguments that every object of these classes takes, read by the `init` of the base.
local common = {
  Layer = {"activity_regularizer", "trainable", "dtype", "autocast", "name"},
  Metric = {"dtype", "name"},
  Optimizer = {"name"},
}

local function take_common(class, known)
  for base, names in pairs(common) do
    if Object.is_subclass(class, cusp[base]) then
      for _, name in ipairs(names) do known[name] = known[name] or {name = name} end
    end
  end
end

-- A value's arguments by position and by name; nil where it declares none.
local function arguments_of(value)
  local list = help.parameters(value)
  if not list or #list == 0 and not Object.is_subclass(value, Object) then return nil end
  local known = {}
  for _, argument in ipairs(list) do known[argument.name] = argument end
  if Object.is_subclass(value, Object) then
    local named = require("cusp.base.arguments").declaration(value).named
    for name, parameter in pairs(named) do
      known[name] = known[name] or {name = name, default = parameter.default}
    end
    take_common(value, known)
  end
  return list, known
end

-- The one value that a number, or a nested list of nothing but it, has; nil for others.
local function single_value(value)
  if type(value) ~= "table" then return value end
  local one = single_value(value[1])
  for i = 2, #value do
    if single_value(value[i]) ~= one then return nil end
  end
  return one
end

local function same(ours, theirs)
  if type(ours) ~= "table" or type(theirs) ~= "table" then
    return ours == theirs or ours ~= nil and single_value(ours) == single_value(theirs)
  end
  for i = 1, math.max(#ours, #theirs) do
    if not same(ours[i], theirs[i]) then return false end
  end
  return true
end

-- Keras counts axes from 0.
local function moved(value)
  if math.type(value) == "integer" and value >= 0 then return value + 1 end
  if type(value) ~= "table" then return value end
  local result = {}
  for i, item in ipairs(value) do result[i] = moved(item) end
  return result
end

local function same_default(ours, argument)
  local theirs = argument[2]
  if theirs == nil or theirs == cusp.null then return true end
  return same(ours, theirs) or argument[1]:find "ax[ei]s" ~= nil and same(ours, moved(theirs))
end

-- Calls `add` with each difference between a value's arguments and Keras's.
local function compare_arguments(path, value, theirs, add)
  local list, known = arguments_of(value)
  if not list then return end
  local position, in_order = 0, true
  for _, argument in ipairs(theirs) do
    local name = argument[1]
    if not known[name] then
      add(("%s(%s)"):format(path, name))
    else
      position = position + 1
      local ours = list[position]
      in_order = in_order and (ours == nil or ours.name == name)
      if not same_default(known[name].default, argument) then
        add(("%s(%s = )"):format(path, name))
      end
    end
  end
  if not in_order then add(path .. "(order)") end
end

-- A property may be an argument, which objects keep by its name.
local function compare_methods(path, class, methods, add)
  local _, known = arguments_of(class)
  for name, theirs in pairs(methods) do
    local here = class[name] ~= nil or class.__getters[name] ~= nil
      or cases.is_null(theirs) and known[name] ~= nil
    if not here then add(("%s:%s"):format(path, name)) end
  end
end

local function compare(path, theirs, add)
  local value = surface.find(path)
  if value == nil then return add(path) end
  if not cases.is_null(theirs.arguments) then
    compare_arguments(path, value, theirs.arguments, add)
  end
  if theirs.methods and Object.is_subclass(value, Object) then
    compare_methods(path, value, theirs.methods, add)
  end
end

--- The differences as texts, sorted: `name` where there is none, `name(argument)`,
-- `name(argument = )` for another default, `name(order)`, `name:method`; and how many names Keras
-- has.
function surface.differences()
  local found, count = {}, 0
  for path, theirs in pairs(cases.read("surface/keras.json.gz").names) do
    count = count + 1
    compare(path:gsub("^keras%.", ""), theirs, function(text) found[#found + 1] = text end)
  end
  table.sort(found)
  return found, count
end

-- The Lua pattern of a name in which `*` stands for any text.
local function pattern_of(name)
  return "^" .. name:gsub("%p", "%%%0"):gsub("%%%*", ".*") .. "$"
end

-- An entry's names: what blanks divide, but for those within brackets.
local function names_of(entry)
  local text = entry.names:gsub("%b()", function(inside) return (inside:gsub(" ", "\0")) end)
  local names = {}
  for name in text:gmatch "%S+" do names[#names + 1] = name:gsub("%z", " ") end
  return names
end

--- Puts each difference under the entry of spec/support/absent.lua that explains it.
-- Returns the lists by entry, the differences that none explains, and the names that explain none.
function surface.explained(differences)
  local by_entry, left, idle = {}, differences, {}
  for i, entry in ipairs(absent) do
    by_entry[i] = {}
    for _, name in ipairs(names_of(entry)) do
      local rest, pattern, before = {}, pattern_of(name), #by_entry[i]
      for _, text in ipairs(left) do
        local list = text:find(pattern) and by_entry[i] or rest
        list[#list + 1] = text
      end
      left = rest
      if #by_entry[i] == before and not entry.later then idle[#idle + 1] = name end
    end
    table.sort(by_entry[i])
  end
  return by_entry, left, idle
end

local introduction = [[
# What Keras has and Cusp has not
Written by `build/cusp scripts/surface.lua docs` from `spec/support/absent.lua`.

Of Keras's %d public names, those below are absent. `name(argument)` stands for an argument,
`name(argument = )` for another default, `name(order)` for another order of arguments,
`name:method` for a method or property.
]]

--- The text of docs/absent.md.
function surface.page()
  local differences, count = surface.differences()
  local by_entry = surface.explained(differences)
  local lines = {introduction:format(count)}
  for i, entry in ipairs(absent) do
    if #by_entry[i] > 0 then
      lines[#lines + 1] = ("## %s\n%s\n\n`%s`\n"):format(entry.title, entry.reason,
        table.concat(by_entry[i], "`, `"))
    end
  end
  return table.concat(lines, "\n")
end

return surface
