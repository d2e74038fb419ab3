--- The base of distributions, which say what each process does of the training.
-- @classmod cusp.distribution.Distribution
-- @tparam DeviceMesh device_mesh
-- @tparam[opt] string batch_dim_name the axis of the mesh among whose processes batches are divided
-- @tparam[opt=true] boolean auto_shard_dataset whether every process is given the same data, of
-- whose batches it takes its rows; false: it is given data of its own, in batches of its own
local Object = require "cusp.base.class"
local TensorLayout = require "cusp.distribution.tensor_layout"
local errors = require "cusp.base.errors"
local processes = require "cusp.distribution.processes"
local rooms = require "cusp.base.rooms"
local shapes = require "cusp.base.shape"
local structure = require "cusp.base.structure"

local Distribution = Object:extend("Distribution", {
  __module = "keras.distribution",
  config = {
    {"device_mesh", "any", optional = true}, {"batch_dim_name", "string", optional = true},
    {"auto_shard_dataset", "boolean", default = true},
  },
  init = function(self, args) Object.configure(self, args) end,
})

local getters = Distribution.__getters

--- The number of processes.
-- @field num_processes
function getters.num_processes() return processes.join().size end

--- Among how many processes, or groups of processes, a batch is divided.
-- @field num_model_replicas
function getters.num_model_replicas(self)
  errors.raise("%s: num_model_replicas is for DataParallel and ModelParallel", self.__name)
end

--- Which part of a batch is this process's, from 0.
-- @field data_shard_id
function getters.data_shard_id(self)
  local place = self.device_mesh:coordinates(processes.join().rank)
  return place[self.device_mesh:place_of(self.batch_dim_name)]
end

--- The layout of data of a shape: divided along the first axis.
-- @tparam {integer,...} data_shape
-- @treturn TensorLayout
function Distribution:get_data_layout(data_shape)
  local axes = {}
  for i = 1, #data_shape do axes[i] = i == 1 and self.batch_dim_name or shapes.None end
  return TensorLayout(axes, self.device_mesh)
end

--- The layout of a variable: its own, or that every process has all of it.
-- @tparam Variable variable
-- @treturn TensorLayout
function Distribution:get_variable_layout(variable)
  if variable.layout then return variable.layout end
  local axes = {}
  for i = 1, #variable.shape do axes[i] = shapes.None end
  return TensorLayout(axes, self.device_mesh)
end

--- The layout of a tensor between layers.
-- @tparam string path of the tensor
-- @treturn ?TensorLayout
function Distribution:get_tensor_layout(path) -- luacheck: no unused args
  return nil
end

--- Has models be trained so while a function runs, or, without one, until what is returned is
-- closed.
-- @tparam[opt] function f
-- @param ... its arguments
-- @return its results
-- @usage local scope <close> = distribution:scope()
function Distribution:scope(f, ...)
  local library = rooms.get "library".distribution
  local before = library.distribution()
  local function leave() library.set_distribution(before) end
  library.set_distribution(self)
  local guard <const> = setmetatable({}, {__close = leave})
  if f == nil then return guard end
  local open <close> = guard -- luacheck: ignore
  return f(...)
end

-- The rows of a tensor with the samples of a batch that are this process's.
local function own_rows(self, tensor)
  local rows, count, place = tensor.shape[1], self.num_model_replicas, self.data_shard_id
  if not rows or rows % count ~= 0 then
    errors.raise("%s.distribute_dataset: expected batches whose size is a multiple of %d, got %s",
      self.__name, count, errors.shape(tensor.shape))
  end
  return tensor:slice{{rows * place // count + 1, rows * (place + 1) // count}}
end

--- This process's part of each batch of a dataset, for `auto_shard_dataset = false`.
-- @tparam Dataset dataset of batches
-- @treturn Dataset itself where there is one process
function Distribution:distribute_dataset(dataset)
  if self.num_processes == 1 or not self.auto_shard_dataset or self.num_model_replicas == 1 then
    return dataset
  end
  return dataset:map(function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do
      parts[i] = structure.map(parts[i], function(tensor) return own_rows(self, tensor) end)
    end
    return table.unpack(parts, 1, parts.n)
  end)
end

return Distribution
