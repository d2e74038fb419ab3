--- Training with several processes: `mpirun -n 4 cusp train.lua`. Without `mpirun`, or on a system
-- without MPI, the script is one process of one.
-- @module cusp.distribution
-- @usage
-- local distribution = cusp.distribution
-- distribution.set_distribution(distribution.DataParallel())
local DataParallel = require "cusp.distribution.data_parallel"
local DeviceMesh = require "cusp.distribution.device_mesh"
local Distribution = require "cusp.distribution.distribution"
local LayoutMap = require "cusp.distribution.layout_map"
local ModelParallel = require "cusp.distribution.model_parallel"
local Object = require "cusp.base.class"
local TensorLayout = require "cusp.distribution.tensor_layout"
local arguments = require "cusp.base.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local groups = require "cusp.distribution.groups"
local processes = require "cusp.distribution.processes"
local random = require "cusp.tensors.random"
local replicas = require "cusp.base.replicas"
local sharding = require "cusp.base.sharding"
local shapes = require "cusp.base.shape"

local distribution = {DataParallel = DataParallel, DeviceMesh = DeviceMesh,
  Distribution = Distribution, LayoutMap = LayoutMap, ModelParallel = ModelParallel,
  TensorLayout = TensorLayout}

local current

local bind_initialize = arguments.binder("distribution.initialize", {
  {"job_addresses", "any", optional = true}, {"num_processes", "integer", optional = true},
  {"process_id", "integer", optional = true}, {"timeout", "number", optional = true},
}, false)

--- Joins the processes that `mpirun` or Slurm started; what else needs them does so by itself.
-- @param[opt] job_addresses taken for Keras's sake: MPI knows where the processes are
-- @tparam[opt] integer num_processes how many there should be, to be checked
-- @tparam[opt] integer process_id which one this should be, to be checked
-- @tparam[opt=600] number timeout seconds that a process waits for the others before it raises an
-- error that names them; also in the environment variable CUSP_DISTRIBUTION_TIMEOUT
function distribution.initialize(...)
  local _, count, id, timeout = bind_initialize(...)
  local joined = processes.join(timeout)
  for name, pair in pairs{num_processes = {count, joined.size}, process_id = {id, joined.rank}} do
    if pair[1] and pair[1] ~= pair[2] then
      errors.raise("distribution.initialize: %s should be %d, which is what the launcher of the job"
        .. " says, got %d; mpirun -n COUNT sets both", name, pair[2], pair[1])
    end
  end
end

--- The number of this process, from 0.
-- @treturn integer
function distribution.process_id() return processes.join().rank end

--- The number of processes.
-- @treturn integer
function distribution.num_processes() return processes.join().size end

local function check_type(name, device_type)
  if device_type ~= nil and device_type ~= "cpu" then
    errors.raise("distribution.%s: Cusp computes on \"cpu\" only, got %s", name,
      errors.describe(device_type))
  end
end

--- The devices of the job: one for each process.
-- @tparam[opt] string device_type "cpu"
-- @treturn {string,...} "cpu:0", "cpu:1", ...
function distribution.list_devices(device_type)
  check_type("list_devices", device_type)
  return DeviceMesh.all()
end

--- The number of devices of the job.
-- @tparam[opt] string device_type "cpu"
-- @treturn integer
function distribution.get_device_count(device_type)
  return #distribution.list_devices(device_type)
end

-- With a model that is divided, all draw the same numbers from the beginning.
local function begin(value, joined)
  local divided, sharers = value:begin()
  joined.set_sharers(divided and sharers.number)
  sharding.active = divided
  replicas.set{rank = sharers.rank, size = sharers.size, process = joined.rank,
    sharers = sharers.ranks, gather = joined.gather, auto = value.auto_shard_dataset,
    as_bfloat16 = value.compression == "bfloat16", bytes_per_pack = value.bytes_per_pack or 1 << 20}
  if divided then random.agree() end
end

--- Has models be trained as a distribution says, from now on.
-- @tparam ?Distribution value nil: by each process for itself
function distribution.set_distribution(value)
  if value ~= nil and (not Object.is_instance(value, Distribution) or not value.begin) then
    errors.raise("distribution.set_distribution: expected a DataParallel or a ModelParallel, got"
      .. " %s", errors.describe(value))
  end
  local joined = processes.join()
  if value and joined.size > 1 then
    begin(value, joined)
  else
    sharding.active = nil
    replicas.set(nil)
  end
  current = value
end

--- The distribution that was set.
-- @treturn ?Distribution
function distribution.distribution() return current end

--- Adds up a tensor, or takes its mean, over the processes that divide batches, for loops of one's
-- own: those that divide a model have the same numbers.
-- @tparam tensor|number x
-- @tparam[opt="sum"] string reduction "sum" or "mean"
-- @treturn tensor
function distribution.all_reduce(x, reduction)
  if reduction ~= nil and reduction ~= "sum" and reduction ~= "mean" then
    errors.raise("distribution.all_reduce: reduction should be \"sum\" or \"mean\", got %s",
      errors.describe(reduction))
  end
  if type(x) ~= "userdata" then x = engine.tensor(x) end
  if engine.is_variable(x) then x = x.value end
  if not replicas.active then return x end
  return reduction == "mean" and replicas.mean(x) or replicas.total(x)
end

-- How a tensor is to be divided by a layout: axes and groups.
local function splits_by(layout, shape)
  local mesh = layout.device_mesh
  if not mesh then
    errors.raise("distribution.distribute_tensor: the layout has no device_mesh")
  end
  local found, splits = groups.of_mesh(mesh), {}
  if #layout.axes > #shape then
    errors.raise("distribution.distribute_tensor: the layout %s names more axes than the tensor of"
      .. " shape %s has", tostring(layout), errors.shape(shape))
  end
  for axis, name in ipairs(layout.axes) do
    local group = name ~= shapes.None and found[mesh:place_of(name)]
    if group and shape[axis] % group.size ~= 0 then
      errors.raise("distribution.distribute_tensor: axis %d of the shape %s is not divisible by the"
        .. " %d processes of \"%s\"", axis, errors.shape(shape), group.size, name)
    end
    if group and group.size > 1 then splits[#splits + 1] = {axis = axis, group = group} end
  end
  return splits
end

--- This process's part of a tensor, as a layout divides it; of a tensor that was divided by this
-- function, or of a variable that is, whatever its layout, first the whole is gathered. Gradients
-- pass. All processes of the mesh call it.
-- @tparam tensor tensor
-- @tparam TensorLayout layout with a mesh; all axes `cusp.None`: the whole
-- @treturn tensor
-- @usage local whole = distribution.distribute_tensor(dense.kernel, TensorLayout({}, mesh))
function distribution.distribute_tensor(tensor, layout)
  if not Object.is_instance(layout, TensorLayout) then
    errors.raise("distribution.distribute_tensor: layout should be a TensorLayout, got %s",
      errors.describe(layout))
  end
  if define.is_symbolic(tensor) then return tensor end
  if type(tensor) ~= "userdata" then tensor = engine.tensor(tensor) end
  local whole = sharding.undivided(tensor)
  return sharding.divide(whole, splits_by(layout, whole.shape))
end

return distribution
