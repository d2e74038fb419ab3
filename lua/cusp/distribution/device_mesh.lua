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

local function check(self)
  local count = 1
  for _, size in ipairs(self.shape) do count = count * size end
  if #self.shape ~= #self.axis_names then
    errors.raise("DeviceMesh: shape %s has %d axes, but there are %d axis_names",
      errors.shape(self.shape), #self.shape, #self.axis_names)
  end
  if count ~= #self.devices then
    errors.raise("DeviceMesh: shape %s has room for %d devices, but there are %d; expected as many",
      errors.shape(self.shape), count, #self.devices)
  end
end

function DeviceMesh:init(args)
  Object.configure(self, args)
  self.devices = self.devices or DeviceMesh.all()
  check(self)
end

return DeviceMesh
