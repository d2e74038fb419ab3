--- Models of which each process has a part. Those variables are divided that a LayoutMap names.
--
-- A mesh of `{2, 4}` with the axes "batch" and "model" has two groups of four processes: a group
-- computes its part of each batch, and its processes divide the model among themselves.
-- @classmod cusp.distribution.ModelParallel
-- @tparam LayoutMap layout_map made with a mesh of all devices
-- @tparam[opt] string batch_dim_name the axis of the mesh among whose processes batches are
-- divided; by default the first
-- @tparam[opt=true] boolean auto_shard_dataset whether every process is given the same data
-- @usage
-- local distribution = cusp.distribution
-- local mesh = distribution.DeviceMesh{{1, distribution.num_processes()}, {"batch", "model"}}
-- local map = distribution.LayoutMap(mesh)
-- map["dense.*kernel"] = {nil, "model"}
-- map["dense.*bias"] = {"model"}
-- distribution.set_distribution(distribution.ModelParallel{layout_map = map})
local Distribution = require "cusp.distribution.distribution"
local LayoutMap = require "cusp.distribution.layout_map"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local groups = require "cusp.distribution.groups"
local processes = require "cusp.distribution.processes"
local shapes = require "cusp.base.shape"

local ModelParallel = Distribution:extend("ModelParallel", {
  config = {
    {"layout_map", "any", keyword_only = true},
    {"batch_dim_name", "string", optional = true, keyword_only = true},
    {"auto_shard_dataset", "boolean", default = true, keyword_only = true},
    {"device_mesh", "any", optional = true, keyword_only = true},
  },
})

local function check(self)
  local map = self.layout_map
  if not Object.is_instance(map, LayoutMap) or not map.device_mesh then
    errors.raise("ModelParallel: layout_map should be a LayoutMap with a device_mesh, got %s",
      errors.describe(map))
  end
  local mesh, size = map.device_mesh, processes.join().size
  for rank = 0, size - 1 do
    if #mesh.devices ~= size or not mesh:coordinates(rank) then
      errors.raise("ModelParallel: expected a device_mesh with each of the %d devices of the job,"
        .. " got %s of %s", size, tostring(mesh), table.concat(mesh.devices, ", "))
    end
  end
end

function ModelParallel:init(args)
  Object.configure(self, args)
  check(self)
  local mesh = self.layout_map.device_mesh
  self.device_mesh, self.devices = mesh, mesh.devices
  self.batch_dim_name = self.batch_dim_name or mesh.axis_names[1]
  if not mesh:place_of(self.batch_dim_name) then
    errors.raise("ModelParallel: batch_dim_name should be an axis of the mesh (%s), got \"%s\"",
      table.concat(mesh.axis_names, ", "), self.batch_dim_name)
  end
end

function ModelParallel.__getters.num_model_replicas(self)
  return self.device_mesh.shape[self.device_mesh:place_of(self.batch_dim_name)]
end

--- The layout of a variable: its own, or what the map says of its path.
-- @tparam Variable variable
-- @treturn TensorLayout
function ModelParallel:get_variable_layout(variable)
  local layout = not variable.layout and variable.path and self.layout_map:get(variable.path)
  return layout or Distribution.get_variable_layout(self, variable)
end

function ModelParallel:get_tensor_layout(path) return self.layout_map:get(path) end

---------------------------------------------------------------- dividing

local function refuse(path, shape, layout, reason, ...)
  errors.raise("the variable %s of shape %s cannot be divided as its layout %s says: " .. reason,
    path, errors.shape(shape), tostring(layout), ...)
end

-- What an axis of a variable is divided among; nil where the layout does not divide it.
local function group_of(self, path, shape, layout, axis)
  local name = layout.axes[axis]
  if name == shapes.None then return nil end
  local place = self.device_mesh:place_of(name)
  if not place then
    refuse(path, shape, layout, "the mesh has no axis \"%s\"; it has %s", name,
      table.concat(self.device_mesh.axis_names, ", "))
  end
  local count = self.device_mesh.shape[place]
  if count == 1 then return nil end
  if name == self.batch_dim_name then
    refuse(path, shape, layout, "batches are divided along \"%s\"; a mesh such as {1, %d} with the"
      .. " axes \"batch\" and \"model\" has another axis for variables", name, count)
  end
  if shape[axis] % count ~= 0 then
    refuse(path, shape, layout, "axis %d of %d is not divisible by the %d processes of \"%s\"",
      axis, shape[axis], count, name)
  end
  return self.__own.groups[place]
end

-- Which axes of a variable are divided, and among which groups.
local function splits_of(self, path, shape, layout)
  local splits = {}
  if #layout.axes > #shape then
    refuse(path, shape, layout, "it names more axes than the variable has")
  end
  for axis = 1, #layout.axes do
    local group = group_of(self, path, shape, layout, axis)
    if group then splits[#splits + 1] = {axis = axis, group = group} end
  end
  return splits
end

--- What layers and optimizers are told of this distribution.
-- @treturn table for `sharding.active`
-- @treturn table the group that divides batches
-- @local
function ModelParallel:begin()
  local mesh, joined = self.device_mesh, processes.join()
  local place, others = mesh:place_of(self.batch_dim_name), {}
  self.__own.groups = groups.of_mesh(mesh)
  for axis, group in ipairs(self.__own.groups) do
    if axis ~= place and group.size > 1 then others[#others + 1] = group end
  end
  return {
    rank = joined.rank, gather = joined.gather, groups = others,
    begin_run = function() self.layout_map:warn_of_idle() end,
    layout_of = function(path) return self.layout_map:get(path) end,
    splits_of = function(...) return splits_of(self, ...) end,
  }, self.__own.groups[place]
end

return ModelParallel
