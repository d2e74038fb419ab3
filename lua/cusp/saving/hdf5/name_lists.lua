--- Lists of names in the attributes of HDF5 groups, as in Keras: `layer_names`, `weight_names`.
-- Lists too large for an object header are split over `layer_names0`, `layer_names1`, ...
-- @module cusp.saving.hdf5.name_lists

local errors = require "cusp.base.errors"

local name_lists = {}

local header_limit = 64512
-- size of a variable-length string, the type of the names if they all fit
local reference_bytes = 16

local function check_strings(where, value)
  if type(value) == "string" then return {value} end
  if type(value) == "table" and getmetatable(value) == nil then
    for i = 1, #value do
      if type(value[i]) ~= "string" then
        errors.raise("%s: expected a list of names, got %s in place %d", where,
          errors.describe(value[i]), i)
      end
    end
    return value
  end
  errors.raise("%s: expected a list of names, got %s", where, errors.describe(value))
end

--- Reads a list.
-- @tparam string path of the file, for messages
-- @tparam cusp.hdf5.Group group
-- @tparam string name
-- @treturn {string,...}
-- @raise if there is none, or it holds anything but names
function name_lists.read(path, group, name)
  local where = ("%s: %s: attribute '%s'"):format(path, group.name, name)
  local attributes = group.attributes
  local value = attributes:get(name)
  if value ~= nil then return check_strings(where, value) end
  local result, part = {}, 0
  while true do
    value = attributes:get(name .. part)
    if value == nil then break end
    local names = check_strings(where .. part, value)
    table.move(names, 1, #names, #result + 1, result)
    part = part + 1
  end
  if part == 0 then errors.raise("%s is missing", where) end
  return result
end

--- Whether a group has such a list.
function name_lists.has(group, name)
  return group.attributes:has(name) or group.attributes:has(name .. "0")
end

-- NumPy's array_split: the first parts are longer by one.
local function split(names, parts)
  local result, first = {}, 1
  for part = 1, parts do
    local count = #names // parts + (part <= #names % parts and 1 or 0)
    result[part] = table.move(names, first, first + count - 1, 1, {})
    first = first + count
  end
  return result
end

local function longest(names)
  local size = 1
  for _, name in ipairs(names) do size = math.max(size, #name) end
  return size
end

--- Writes a list; an empty one is an empty float64 array, as in h5py.
-- @tparam cusp.hdf5.NewGroup group
-- @tparam string name
-- @tparam {string,...} names
-- @raise for a name too long for an attribute
function name_lists.write(group, name, names)
  if #names == 0 then return group.attributes:set(name, {}) end
  local size = longest(names)
  if size > header_limit then
    errors.raise("%s: a name of %d bytes is longer than the %d that an HDF5 file can hold", name,
      size, header_limit)
  end
  local parts = 1
  while (#names + parts - 1) // parts * size > header_limit do parts = parts + 1 end
  if parts == 1 then
    local fixed = #names * reference_bytes > header_limit and size or nil
    return group.attributes:set(name, names, {charset = "ascii", fixed = fixed})
  end
  for i, part in ipairs(split(names, parts)) do
    group.attributes:set(name .. i - 1, part, {charset = "ascii", fixed = size})
  end
end

return name_lists
