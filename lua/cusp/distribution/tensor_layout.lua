--- Along which axes of a mesh the axes of a tensor are divided.
-- @classmod cusp.distribution.TensorLayout
-- @tparam {string,...} axes for each axis of the tensor the name of an axis of the mesh, or
-- `cusp.None` (also `nil`, as in `{nil, "model"}`) for an axis that is not divided; axes that are
-- left out at the end are not
-- @tparam[opt] DeviceMesh device_mesh
-- @usage local layout = cusp.distribution.TensorLayout{axes = {nil, "model"}}
local DeviceMesh = require "cusp.distribution.device_mesh"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local nulls = require "cusp.base.nulls"
local shapes = require "cusp.base.shape"

local TensorLayout = Object:extend("TensorLayout", {
  __module = "keras.distribution",
  first_is_list = true,
  config = {{"axes", "any"}, {"device_mesh", "any", optional = true}},
})

local function is_none(axis) return axis == nil or axis == shapes.None or nulls.is(axis) end

-- Lists with holes are meant here: `{nil, "model"}`.
local function read_axes(given)
  local most, axes, seen = 0, {}, {}
  if type(given) ~= "table" or not kinds.is_plain(given) then
    errors.raise("TensorLayout: axes should be a list such as {nil, \"model\"}, got %s",
      errors.describe(given))
  end
  for i in pairs(given) do
    if math.type(i) ~= "integer" or i < 1 or i > 64 then
      errors.raise("TensorLayout: axes should be a list such as {nil, \"model\"}, got the key %s",
        errors.describe(i))
    end
    most = math.max(most, i)
  end
  for i = 1, most do
    local axis = given[i]
    if not is_none(axis) and type(axis) ~= "string" then
      errors.raise("TensorLayout: axis %d should be the name of an axis of the mesh, or nil, got"
        .. " %s", i, errors.describe(axis))
    end
    if not is_none(axis) and seen[axis] then
      errors.raise("TensorLayout: \"%s\" stands for two axes of the tensor", axis)
    end
    axes[i] = is_none(axis) and shapes.None or axis
    seen[axes[i]] = axes[i] ~= shapes.None or nil
  end
  return axes
end

local function check_mesh(mesh)
  if mesh ~= nil and not Object.is_instance(mesh, DeviceMesh) then
    errors.raise("TensorLayout: device_mesh should be a DeviceMesh, got %s", errors.describe(mesh))
  end
end

local function check_names(self, mesh)
  for _, axis in ipairs(self.axes) do
    if axis ~= shapes.None and not mesh:place_of(axis) then
      errors.raise("TensorLayout: there is no axis \"%s\" in the mesh, whose axes are %s", axis,
        table.concat(mesh.axis_names, ", "))
    end
  end
end

function TensorLayout:init(args)
  self.axes = read_axes(args.axes)
  self.device_mesh = args.device_mesh
end

function TensorLayout.__getters.device_mesh(self) return self.__own.device_mesh end

--- Sets the mesh, once.
function TensorLayout.__setters.device_mesh(self, mesh)
  if mesh == nil then return end
  check_mesh(mesh)
  if self.__own.device_mesh then
    errors.raise("TensorLayout: the device_mesh is %s already and cannot be set again",
      tostring(self.__own.device_mesh))
  end
  check_names(self, mesh)
  self.__own.device_mesh = mesh
end

--- The axes as text, such as `{nil, "model"}`.
function TensorLayout:__tostring()
  local parts = {}
  for i, axis in ipairs(self.axes) do
    parts[i] = axis == shapes.None and "nil" or ("%q"):format(axis)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

return TensorLayout
