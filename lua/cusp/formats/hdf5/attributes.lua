--- The attributes of a group or dataset in a file opened for reading.
-- @classmod cusp.hdf5.Attributes
local errors = require "cusp.base.errors"
local lists = require "cusp.base.lists"
local values = require "cusp.formats.hdf5.values"

local Attributes = {__name = "cusp.hdf5.Attributes"}
Attributes.__index = Attributes

-- `where` is "path: /object"; `list` is what the reading process sent.
function Attributes.new(where, list)
  local by_name = {}
  for _, description in ipairs(type(list) == "table" and list or {}) do
    values.check(type(description) == "table" and type(description.name) == "string", where,
      "an attribute has no name")
    by_name[description.name] = description
  end
  return setmetatable({_where = where, _by_name = by_name}, Attributes)
end

--- The names, sorted bytewise.
-- @treturn {string,...}
function Attributes:names() return lists.keys(self._by_name) end

--- Whether there is an attribute of that name.
function Attributes:has(name) return self._by_name[name] ~= nil end

--- Reads an attribute.
-- @tparam string name
-- @return a string, or (nested) lists of strings; a number or boolean; a tensor; `{}` for an array
-- without elements; nil if there is no such attribute
-- @raise if it is damaged, or its type is not supported (compound, reference, ...)
function Attributes:get(name)
  local description = self._by_name[name]
  if not description then return nil end
  return values.attribute(("%s: attribute '%s'"):format(self._where, name), description)
end

--- Describes an attribute.
-- @tparam string name
-- @treturn table `{kind = "string"|"int"|"uint"|"float"|"bool"|"other", shape = {...}, dtype =,
-- size = bytes of an element}`, for strings also `variable = boolean, charset = "ascii"|"utf8",
-- padding = "null_terminated"|"null_padded"|"space_padded"`
-- @raise if there is no such attribute
function Attributes:describe(name)
  local description = self._by_name[name]
  if not description then
    errors.raise("hdf5: %s: there is no attribute '%s'%s", self._where, tostring(name),
      errors.suggestion(name, self:names()))
  end
  return values.describe(self._where, description)
end

function Attributes:__tostring()
  return ("attributes of %s: %s"):format(self._where, table.concat(self:names(), ", "))
end

return Attributes
