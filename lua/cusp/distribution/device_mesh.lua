--- Devices in a grid with named axes. A device is a process, "cpu:0" being that of rank 0.
-- @classmod cusp.distribution.DeviceMesh
-- @tparam {integer,...} shape sizes of the axes
-- @tparam {string,...} axis_names one for each axis
-- @tparam[opt] {string,...} devices by default all, see `list_devices`
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local processes = require "cusp.distribution.processes"

local DeviceMesh = Object:extend("DeviceMesh", {
  __module = "keras.distribution",
  config = {{"shape", "shape"}, {"axis_names", "list"}, {"devices", "list", optional = true}},
})

--- The names of all devices.
-- @treturn {string,...}
-- @local
function DeviceMesh.all()
  local names = {}
  for i = 1, processes.join().size do names[i] = "cpu:" .. i - 1 end
  return names
end

local function check_names(self)
  local seen = {}
  for i, name in ipairs(self.axis_names) do
    if type(name) ~= "string" or seen[name] then
      errors.raise("DeviceMesh: axis_names should be different names, got %s for axis %d",
        errors.describe(name), i)
    end
    seen[name] = true
  end
end

local function check(self)
  local count = 1
  for _, size in ipairs(self.shape) do count = count * size end
  if #self.shape == 0 then errors.raise("DeviceMesh: a mesh needs at least one axis") end
  if #self.shape ~= #self.axis_names then
    errors.raise("DeviceMesh: shape %s has %d axes, but there are %d axis_names",
      errors.shape(self.shape), #self.shape, #self.axis_names)
  end
  if count ~= #self.devices then
    errors.raise("DeviceMesh: shape %s has room for %d devices, but there are %d; expected as many",
      errors.shape(self.shape), count, #self.devices)
  end
  check_names(self)
end

function DeviceMesh:init(args)
  Object.configure(self, args)
  self.devices = self.devices or DeviceMesh.all()
  check(self)
end

--- The number of an axis, from 1.
-- @tparam string name
-- @treturn ?integer nil where there is none of that name
-- @local
function DeviceMesh:place_of(name)
  for i, other in ipairs(self.axis_names) do
    if other == name then return i end
  end
end

--- Where a process is along each axis, from 0.
-- @tparam integer rank
-- @treturn ?{integer,...} nil where its device is not in the mesh
-- @local
function DeviceMesh:coordinates(rank)
  for place, device in ipairs(self.devices) do
    if device == "cpu:" .. rank then
      local rest, coordinates = place - 1, {}
      for axis = #self.shape, 1, -1 do
        coordinates[axis] = rest % self.shape[axis]
        rest = rest // self.shape[axis]
      end
      return coordinates
    end
  end
end

--- The shape and the names of the axes, as `DeviceMesh{{2, 2}, {"batch", "model"}}`.
function DeviceMesh:__tostring()
  return ('DeviceMesh{{%s}, {"%s"}}'):format(table.concat(self.shape, ", "),
    table.concat(self.axis_names, '", "'))
end

return DeviceMesh
