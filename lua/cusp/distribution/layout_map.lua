--- Layouts by the paths of variables: `map["dense.*kernel"] = {nil, "model"}`.
--
-- A key is a path, or a regular expression (as Python's) that all of a path matches; where none
-- does, one that matches all but the first names of it, so that `"d1/kernel"` is also
-- `"sequential/d1/kernel"`. `map[path]` is the layout of a path, or nil; `map[key] = nil` removes a
-- key, `#map` counts them, and `pairs(map)` goes through them in the order in which they were set.
-- @classmod cusp.distribution.LayoutMap
-- @tparam[opt] DeviceMesh device_mesh
-- @usage local map = cusp.distribution.LayoutMap(mesh)
-- map["dense.*kernel"] = {nil, "model"}
-- map["dense.*bias"] = {"model"}
local DeviceMesh = require "cusp.distribution.device_mesh"
local Object = require "cusp.base.class"
local TensorLayout = require "cusp.distribution.tensor_layout"
local errors = require "cusp.base.errors"
local pattern = require "cusp.distribution.pattern"
local warnings = require "cusp.base.warnings"

local LayoutMap = Object:extend("LayoutMap", {
  __module = "keras.distribution",
  config = {{"device_mesh", "any", optional = true}},
})

function LayoutMap:init(args)
  Object.configure(self, args)
  local own, mesh = self.__own, rawget(self, "device_mesh")
  if mesh ~= nil and not Object.is_instance(mesh, DeviceMesh) then
    errors.raise("LayoutMap: device_mesh should be a DeviceMesh, got %s", errors.describe(mesh))
  end
  own.keys, own.layouts, own.matchers, own.used = {}, {}, {}, {}
end

local function matching(own, path)
  local found = {}
  for _, key in ipairs(own.keys) do
    if own.matchers[key](path) then found[#found + 1] = key end
  end
  return found
end

-- The key that a path falls under.
local function find_key(own, path)
  if own.layouts[path] then return path end
  local rest = path
  while rest do
    local found = matching(own, rest)
    if #found == 0 and own.layouts[rest] then return rest end
    if #found > 1 then
      errors.raise("LayoutMap: the path '%s' matches several keys: %s; a path should match at most"
        .. " one", path, table.concat(found, ", "))
    end
    if found[1] then return found[1] end
    rest = rest:match "/(.*)"
  end
end

local function find(own, path)
  local key = find_key(own, path)
  if not key then return nil end
  own.used[key] = true
  return own.layouts[key]
end

--- Warns, once, of keys that nothing was found by.
-- @local
function LayoutMap:warn_of_idle()
  local own = self.__own
  for _, key in ipairs(own.keys) do
    if not own.used[key] then
      own.used[key] = true
      warnings.warn("LayoutMap: no variable has a path that matches the key %q; variable.path says"
        .. " what it is", key)
    end
  end
end

--- The layout of a path.
-- @tparam string path of a variable
-- @treturn ?TensorLayout
-- @raise where several keys match it
function LayoutMap:get(path)
  if type(path) ~= "string" then
    errors.raise("LayoutMap.get: expected the path of a variable, got %s", errors.describe(path))
  end
  return find(self.__own, path)
end

local function remove(own, key)
  if not own.layouts[key] then
    errors.raise("LayoutMap: there is no key %q", key)
  end
  own.layouts[key], own.matchers[key] = nil, nil
  for i, other in ipairs(own.keys) do
    if other == key then return table.remove(own.keys, i) end
  end
end

local function add(self, key, layout)
  local own = self.__own
  if own.layouts[key] then
    errors.raise("LayoutMap: the key %q has the layout %s already; remove it first: map[key] = nil",
      key, tostring(own.layouts[key]))
  end
  if not Object.is_instance(layout, TensorLayout) then layout = TensorLayout{axes = layout} end
  local matches = pattern.compile(key)
  if not layout.device_mesh and self.device_mesh then layout.device_mesh = self.device_mesh end
  own.layouts[key], own.matchers[key] = layout, matches
  table.insert(own.keys, key)
end

local lookup, assign = LayoutMap.__index, LayoutMap.__newindex

function LayoutMap.__index(self, key)
  local own = rawget(self, "__own")
  if type(key) == "string" and own and own.keys then
    local layout = find(own, key)
    if layout then return layout end
  end
  return lookup(self, key)
end

function LayoutMap.__newindex(self, key, layout)
  local own = rawget(self, "__own")
  if key == "device_mesh" or not own or not own.keys then return assign(self, key, layout) end
  if type(key) ~= "string" or key == "" then
    errors.raise("LayoutMap: a key is the path of variables or a regular expression, got %s",
      errors.describe(key))
  end
  if layout == nil then return remove(own, key) end
  add(self, key, layout)
end

function LayoutMap:__len() return #self.__own.keys end

function LayoutMap:__pairs()
  local own, i = self.__own, 0
  return function()
    i = i + 1
    return own.keys[i], own.layouts[own.keys[i]]
  end
end

return LayoutMap
