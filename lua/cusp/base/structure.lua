--- Nested structures of tensors: lists, tables keyed by name, and leaves. A leaf holds no other
-- values (a tensor, a variable, a symbolic tensor, a number...). Lists are walked by position and
-- tables by sorted key, as in Keras. `false` in a list means "nothing here".
-- @module cusp.base.structure

local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local plain = require "cusp.base.plain"
local shapes = require "cusp.base.shape"

local structure = {}

--- Whether `value` is a table that holds other values, rather than a leaf (see `cusp.base.lists`).
-- @function is_container
local is_container = lists.is_container
structure.is_container = is_container

--- Whether a table is a list (an empty one is).
function structure.is_list(t) return #t > 0 or next(t) == nil end
local is_list = structure.is_list

--- Whether `value` is a shape: a list of integers and unknown sizes.
function structure.is_shape(value)
  if not is_container(value) then return false end
  for i = 1, #value do
    local size = value[i]
    if math.type(size) ~= "integer" and size ~= shapes.None then return false end
  end
  return is_list(value)
end

--- The keys of a table keyed by name, sorted (see `cusp.base.lists`).
-- @function keys
local sorted_keys = lists.keys
structure.keys = sorted_keys

-- Structures nested deeper than this must contain themselves.
local max_depth = 1000

--- The next depth; an error if it is so deep that a table must contain itself.
function structure.deeper(depth)
  if depth == max_depth then
    errors.raise(
      "a table that contains itself, or is nested more than %d deep, cannot be used here",
      max_depth)
  end
  return depth + 1
end
local deeper = structure.deeper

local function flatten(value, is_leaf, out, depth)
  if not is_container(value) or is_leaf(value) then
    if value ~= nil and value ~= false then out[#out + 1] = value end
    return out
  end
  depth = deeper(depth)
  if is_list(value) then
    for i = 1, #value do flatten(value[i], is_leaf, out, depth) end
  else
    for _, key in ipairs(sorted_keys(value)) do flatten(value[key], is_leaf, out, depth) end
  end
  return out
end

local function never() return false end

--- The leaves in order.
-- @param value a structure
-- @tparam[opt] function is_leaf decides which plain tables are leaves too (`structure.is_shape` for
-- shapes)
function structure.flatten(value, is_leaf) return flatten(value, is_leaf or never, {}, 0) end

local function map(value, f, is_leaf, depth)
  if not is_container(value) or is_leaf and is_leaf(value) then return f(value) end
  local result, n = {}, #value
  depth = deeper(depth)
  for i = 1, n do
    local item = value[i] and map(value[i], f, is_leaf, depth)
    if item == nil then item = false end
    result[i] = item
  end
  if next(value, n > 0 and n or nil) ~= nil and not lists.is_foreign(value) then
    for _, key in ipairs(sorted_keys(value)) do
      if math.type(key) ~= "integer" then result[key] = map(value[key], f, is_leaf, depth) end
    end
  end
  return result
end

--- The first leaf along first items, or nil.
function structure.first_leaf(value)
  local depth = 0
  while is_container(value) do value, depth = value[1], deeper(depth) end
  return value
end

--- A structure of the same form with each leaf replaced by `f(leaf)` (`nil` becomes `false` in a
-- list). A table with both a list part and keys (the arguments of a call) keeps both.
function structure.map(value, f, is_leaf) return map(value, f, is_leaf, 0) end

--- Builds a structure in the form of `like` from the list `flat` of leaves, in order.
function structure.pack(like, flat)
  local position = 0
  return structure.map(like, function()
    position = position + 1
    return flat[position]
  end)
end

local function find(value, predicate, depth)
  if not is_container(value) then return predicate(value) and value or nil end
  depth = deeper(depth)
  for _, item in pairs(value) do
    local found = find(item, predicate, depth)
    if found ~= nil then return found end
  end
end

--- The first leaf for which `predicate` is true, or nil; stops there.
function structure.find(value, predicate) return find(value, predicate, 0) end

--- A shape as text, as Keras prints it: `(None, 72)`.
function structure.shape_text(shape)
  local sizes = {}
  for i = 1, #shape do sizes[i] = plain.tostring(shape[i]) end
  return "(" .. table.concat(sizes, ", ") .. (#sizes == 1 and ",)" or ")")
end

--- A shape or a structure of shapes as text for an error message: `[None, 72]`.
function structure.describe(value)
  if not is_container(value) then return plain.tostring(value) end
  if is_list(value) then return errors.shape(value) end
  local parts = {}
  for _, key in ipairs(sorted_keys(value)) do
    parts[#parts + 1] = key .. " = " .. structure.describe(value[key])
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

return structure
