--- A group in a file opened for reading. Fields: `name` (its path in the file), `kind` ("group"),
-- `attributes`.
-- @classmod cusp.hdf5.Group
local Attributes = require "cusp.formats.hdf5.attributes"
local Dataset = require "cusp.formats.hdf5.dataset"
local errors = require "cusp.base.errors"
local values = require "cusp.formats.hdf5.values"
local plain = require "cusp.base.plain"

local Group = {__name = "cusp.hdf5.Group"}
local methods, getters = {}, {}

local most_links = 40 -- soft links followed for one path, as many as the kernel follows

function Group.new(file, name, description)
  return setmetatable({_file = file, _description = description, name = name, kind = "group"},
    Group)
end

function Group:__index(key)
  local getter = getters[key]
  if getter then return getter(self) end
  return methods[key]
end

function getters:attributes()
  local attributes = Attributes.new(self._file:_where(self.name), self._description.attributes)
  rawset(self, "attributes", attributes)
  return attributes
end

--- The names of the members, sorted bytewise.
-- @treturn {string,...}
-- @raise if the group is damaged
function methods:names()
  values.check_readable(self._file:_where(self.name), self._description)
  local names = {}
  for name in pairs(self._description.links or {}) do
    values.check(type(name) == "string", self._file:_where(self.name),
      "a member's name is no string")
    names[#names + 1] = name
  end
  plain.sort(names)
  return names
end

-- An object by its number in the description.
local function object_of(file, name, number)
  local description = file._objects[number]
  values.check(type(description) == "table", file:_where(name), "the object is missing")
  if description.kind == "dataset" then return Dataset.new(file, name, description) end
  if description.kind == "group" then return Group.new(file, name, description) end
  values.check_readable(file:_where(name), description)
  values.check(false, file:_where(name), "the object is of an unknown kind")
end
Group.object_of = object_of

local function join(name, part) return name == "/" and "/" .. part or name .. "/" .. part end

local step

-- The object at the end of a path; `state.left` is the number of soft links that may still be
-- followed.
local function follow(group, path, state)
  local at = path:sub(1, 1) == "/" and group._file.root or group
  for part in path:gmatch "[^/]+" do
    if part ~= "." then
      at = at.kind == "group" and step(at, part, state) or nil
      if not at then return nil end
    end
  end
  return at
end

function step(group, part, state)
  local links, name = group._description.links, join(group.name, part)
  local link = links and links[part]
  if link == nil then
    values.check_readable(group._file:_where(group.name), group._description)
    return nil
  end
  if math.type(link) == "integer" then return object_of(group._file, name, link) end
  values.check(type(link) == "table", group._file:_where(name), "a link leads nowhere")
  values.check_readable(group._file:_where(name), link)
  values.check(type(link.soft) == "string", group._file:_where(name), "a link leads nowhere")
  if state.left == 0 then
    errors.raise("hdf5: %s: more than %d links in a row; they may form a cycle",
      group._file:_where(name), most_links)
  end
  state.left = state.left - 1
  local found = follow(group, link.soft, state)
  if found then rawset(found, "name", name) end
  return found
end

--- A member.
-- @tparam string path names joined by "/"; a leading "/" starts at the root. Soft links are
-- followed
-- @return a Group or Dataset; nil if there is none
-- @raise if the object is damaged, or reached through an external link
function methods:get(path)
  if type(path) ~= "string" then
    errors.raise("hdf5: %s: get expects a path, got %s", self._file:_where(self.name),
      errors.describe(path))
  end
  self._file:_check_open()
  return follow(self, path, {left = most_links})
end

--- Whether a member with that path exists.
function methods:has(path) return self:get(path) ~= nil end

function Group:__tostring() return require "cusp.formats.hdf5.tree"(self) end

return Group
