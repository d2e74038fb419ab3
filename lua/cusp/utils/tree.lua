--- Nested tables: lists, tables keyed by name and leaves, in the order that Keras has.
-- A table keyed by name is walked in the order of its sorted keys; `false` in a list is a leaf that
-- stands for nothing, as `cusp.null` does. Tensors, functions and objects are leaves.
-- @module cusp.tree
-- @usage cusp.tree.flatten{b = 2, a = {1, {3}}} --> {1, 3, 2}
local errors = require "cusp.base.errors"
local null = require "cusp.base.null"
local plain = require "cusp.base.plain"
local structure = require "cusp.base.structure"

local is_container, is_list, keys = structure.is_container, structure.is_list, structure.keys

local tree = {}

--- What a function of `traverse` returns to put nothing (`cusp.null`) in place of a part.
tree.MAP_TO_NONE = setmetatable({}, {__name = "MAP_TO_NONE", __tostring = function()
  return "MAP_TO_NONE"
end})

--- Whether a value is a table that holds others.
-- @treturn boolean
function tree.is_nested(value) return is_container(value) end

-- The keys of a table in order; an integer of a list for a list.
local function steps(value)
  if not is_list(value) then return keys(value) end
  local list = {}
  for i = 1, #value do list[i] = i end
  return list
end

local function check_function(name, f)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    errors.raise("tree.%s: expected a function, got %s", name, errors.describe(f))
  end
end

-- Calls visit(leaf, path) for each leaf in order; the path is one table, changed as it goes.
local function walk(value, visit, path, depth)
  if not is_container(value) then return visit(value, path) end
  depth = structure.deeper(depth)
  for _, key in ipairs(steps(value)) do
    path[#path + 1] = key
    walk(value[key], visit, path, depth)
    path[#path] = nil
  end
end

--- The leaves in order.
-- @param value a nested table, or a leaf
-- @treturn table
function tree.flatten(value)
  local leaves = {}
  walk(value, function(leaf) leaves[#leaves + 1] = leaf end, {}, 0)
  return leaves
end

--- The leaves with where they are: a list of `{path, leaf}`, where a path is a list of positions
-- (from 1) and keys.
-- @treturn table
function tree.flatten_with_path(value)
  local found = {}
  walk(value, function(leaf, path) found[#found + 1] = {{table.unpack(path)}, leaf} end, {}, 0)
  return found
end

local function kind_of(value)
  if not is_container(value) then return "a leaf" end
  return is_list(value) and ("a list of %d"):format(#value) or "a table keyed by name"
end

local function place_text(path)
  if #path == 0 then return "at the top" end
  local parts = {}
  for i, key in ipairs(path) do parts[i] = plain.tostring(key) end
  return "at " .. table.concat(parts, ".")
end

local function refuse(name, a, b, path)
  errors.raise("tree.%s: the structures differ %s: %s and %s", name, place_text(path), kind_of(a),
    kind_of(b))
end

-- Raises where two tables have not the same keys.
local function check_same_keys(name, a, b, path)
  if is_list(a) ~= is_list(b) or #a ~= #b then refuse(name, a, b, path) end
  for _, pair in ipairs{{a, b}, {b, a}} do
    for key in pairs(pair[1]) do
      if pair[2][key] == nil then
        errors.raise("tree.%s: the structures differ %s: %s is in one of them alone", name,
          place_text(path), place_text{key}:sub(#"at " + 1))
      end
    end
  end
end

local function check_same(name, a, b, path, depth)
  if is_container(a) ~= is_container(b) then refuse(name, a, b, path) end
  if not is_container(a) then return end
  depth = structure.deeper(depth)
  check_same_keys(name, a, b, path)
  for _, key in ipairs(steps(a)) do
    path[#path + 1] = key
    check_same(name, a[key], b[key], path, depth)
    path[#path] = nil
  end
end

--- Raises where two structures are not nested in the same way.
function tree.assert_same_structure(a, b) check_same("assert_same_structure", a, b, {}, 0) end

--- The same; lists and tables keyed by name differ in their paths, too.
function tree.assert_same_paths(a, b) check_same("assert_same_paths", a, b, {}, 0) end

-- f of what stands at the same place in all structures, down to the leaves of the first one.
local function map_up_to(f, shallow, values, n, depth)
  if not is_container(shallow) then return f(table.unpack(values, 1, n)) end
  local result = {}
  depth = structure.deeper(depth)
  for _, key in ipairs(steps(shallow)) do
    local parts = {}
    for i = 1, n do parts[i] = values[i][key] end
    local mapped = map_up_to(f, shallow[key], parts, n, depth)
    if mapped == nil then mapped = null end
    result[key] = mapped
  end
  return result
end

--- A structure with `f` of the leaves at the same place in each structure given.
-- @tparam function f
-- @param ... structures nested in the same way
-- @usage cusp.tree.map_structure(function(a, b) return a + b end, {1, {2}}, {10, {20}})
function tree.map_structure(f, ...)
  check_function("map_structure", f)
  local values = table.pack(...)
  if values.n == 0 then
    errors.raise "tree.map_structure: expected a structure after the function"
  end
  for i = 2, values.n do check_same("map_structure", values[1], values[i], {}, 0) end
  return map_up_to(f, values[1], values, values.n, 0)
end

local function check_deep_enough(shallow, value, path, depth)
  if not is_container(shallow) then return end
  if not is_container(value) then refuse("map_structure_up_to", shallow, value, path) end
  depth = structure.deeper(depth)
  check_same_keys("map_structure_up_to", shallow, value, path)
  for _, key in ipairs(steps(shallow)) do
    path[#path + 1] = key
    check_deep_enough(shallow[key], value[key], path, depth)
    path[#path] = nil
  end
end

--- As `map_structure`, no deeper than a shallow structure: what is nested below its leaves is given
-- to `f` whole.
-- @param shallow
-- @tparam function f
-- @param ... structures
function tree.map_structure_up_to(shallow, f, ...)
  check_function("map_structure_up_to", f)
  local values = table.pack(...)
  if values.n == 0 then
    errors.raise "tree.map_structure_up_to: expected a structure after the function"
  end
  for i = 1, values.n do check_deep_enough(shallow, values[i], {}, 0) end
  return map_up_to(f, shallow, values, values.n, 0)
end

--- A structure as another one, with the leaves of a list.
-- @param like a nested table, or a leaf
-- @tparam table flat as many leaves, in order
function tree.pack_sequence_as(like, flat)
  if not is_container(flat) then
    errors.raise("tree.pack_sequence_as: expected a list of leaves, got %s", errors.describe(flat))
  end
  local count = #tree.flatten(like)
  if count ~= #flat then
    errors.raise("tree.pack_sequence_as: the structure has %d leaves, but the list %d", count,
      #flat)
  end
  local at = 0
  return map_up_to(function()
    at = at + 1
    return flat[at]
  end, like, {like}, 1, 0)
end

-- What a function says of a part: whether it says anything, and what.
local function verdict(f, value)
  local said = f(value)
  if said == tree.MAP_TO_NONE then return true, null end
  return said ~= nil, said
end

local function traverse(f, value, top_down, depth)
  if top_down then
    local said, replaced = verdict(f, value)
    if said then return replaced end
  end
  local result = value
  if is_container(value) then
    result, depth = {}, structure.deeper(depth)
    for _, key in ipairs(steps(value)) do
      result[key] = traverse(f, value[key], top_down, depth)
    end
  end
  if not top_down then
    local said, replaced = verdict(f, result)
    if said then return replaced end
  end
  return result
end

--- Calls a function of each part, outer ones first; what it returns takes the part's place, unless
-- that is nil.
-- @tparam function f
-- @param value a nested table
-- @tparam[opt=true] boolean top_down false: inner ones first
-- @return the structure
function tree.traverse(f, value, top_down)
  check_function("traverse", f)
  if is_container(top_down) then top_down = top_down.top_down end
  return traverse(f, value, top_down ~= false, 0)
end

local function map_shapes(f, value, depth)
  if structure.is_shape(value) and (not is_container(value) or #value > 0)
    or not is_container(value) then
    return f(value)
  end
  local result = {}
  depth = structure.deeper(depth)
  for _, key in ipairs(steps(value)) do result[key] = map_shapes(f, value[key], depth) end
  return result
end

--- As `map_structure` of one structure in which lists of integers (and `cusp.None`) are leaves.
function tree.map_shape_structure(f, value)
  check_function("map_shape_structure", f)
  return map_shapes(f, value, 0)
end

return tree
