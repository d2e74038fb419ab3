--- Every process has the whole model and computes with its part of each batch; gradients, losses
-- and metrics are those of the whole batch.
-- @classmod cusp.distribution.DataParallel
-- @tparam[opt] DeviceMesh device_mesh of one axis, with all devices
-- @tparam[opt] {string,...} devices instead of a mesh; by default all
-- @tparam[opt=true] boolean auto_shard_dataset whether every process is given the same data, of
-- whose batches it takes its rows; false: it is given data of its own, in batches of its own
-- @tparam[opt] string compression "bfloat16": gradients travel in half the bytes, and are rounded
-- to 8 bits of mantissa where processes add them up; nil: as they are
-- @tparam[opt=1048576] integer bytes_per_pack gradients travel in messages of at least that many
-- bytes, the first of them while the backward pass still makes others
-- @usage
-- local distribution = cusp.distribution
-- distribution.set_distribution(distribution.DataParallel())
-- -- the rest of the script as it is: mpirun -n 4 cusp train.lua
local DeviceMesh = require "cusp.distribution.device_mesh"
local Distribution = require "cusp.distribution.distribution"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local processes = require "cusp.distribution.processes"

local DataParallel = Distribution:extend("DataParallel", {
  config = {
    {"device_mesh", "any", optional = true}, {"devices", "list", optional = true},
    {"auto_shard_dataset", "boolean", default = true},
    {"compression", "string", optional = true},
    {"bytes_per_pack", "integer", min = 1, default = 1 << 20},
  },
})

local function check_mesh(mesh)
  if not Object.is_instance(mesh, DeviceMesh) then
    errors.raise("DataParallel: device_mesh should be a DeviceMesh, got %s", errors.describe(mesh))
  end
  local size = processes.join().size
  if #mesh.shape ~= 1 or #mesh.devices ~= size then
    errors.raise("DataParallel: expected a device_mesh of one axis with the %d devices of the job,"
      .. " got %s", size, errors.shape(mesh.shape))
  end
end

function DataParallel:init(args)
  Object.configure(self, args)
  if self.compression and self.compression ~= "bfloat16" then
    errors.raise("DataParallel: compression should be \"bfloat16\" or nil, got %s",
      errors.describe(self.compression))
  end
  local devices = self.devices or DeviceMesh.all()
  self.device_mesh = self.device_mesh
    or DeviceMesh{shape = {#devices}, axis_names = {"batch"}, devices = devices}
  check_mesh(self.device_mesh)
  self.devices, self.batch_dim_name = self.device_mesh.devices, self.device_mesh.axis_names[1]
end

function DataParallel.__getters.num_model_replicas(self) return #self.devices end

--- What divides batches; models are whole in every process.
-- @local
function DataParallel:begin()
  local joined = processes.join()
  local place = self.device_mesh:coordinates(joined.rank)
  return nil, {size = joined.size, rank = place and place[1] or joined.rank}
end

return DataParallel
