--- Cusp: deep learning for Lua, modelled on Keras. Modules are loaded on first use, so `require
-- "cusp"` takes milliseconds.
-- @module cusp
-- @usage
-- local cusp = require "cusp"
-- local model = cusp.Sequential{cusp.layers.Dense{10, activation = "softmax"}}
-- model:compile{optimizer = "adam", loss = "categorical_crossentropy", metrics = {"accuracy"}}
local absent = require "cusp.base.absent"
local rooms = require "cusp.base.rooms"

local cusp = {}

--- The version, as in "0.1.0".
cusp.version = "0.1.0"
cusp._VERSION = "Cusp " .. cusp.version

local modules = {
  activations = "cusp.activations", applications = "cusp.applications",
  backend = "cusp.utils.backend", callbacks = "cusp.callbacks",
  config = "cusp.base.config", constraints = "cusp.constraints",
  distillation = "cusp.distillation", distribution = "cusp.distribution",
  dtype_policies = "cusp.base.dtype_policies",
  data = "cusp.data", datasets = "cusp.datasets",
  hdf5 = "cusp.formats.hdf5", initializers = "cusp.initializers", json = "cusp.formats.json",
  layers = "cusp.layers", losses = "cusp.losses", metrics = "cusp.metrics", models = "cusp.models",
  mixed_precision = "cusp.optimizers.mixed_precision",
  null = "cusp.base.null", numpy = "cusp.formats.numpy", onnx = "cusp.onnx", ops = "cusp.ops",
  optimizers = "cusp.optimizers", preprocessing = "cusp.utils.preprocessing",
  profiler = "cusp.profiler",
  quantizers = "cusp.quantizers",
  random = "cusp.tensors.random",
  regularizers = "cusp.regularizers", safetensors = "cusp.formats.safetensors",
  samplers = "cusp.samplers",
  saving = "cusp.saving", summary = "cusp.summary",
  tfrecord = "cusp.formats.tfrecord", tree = "cusp.utils.tree",
  visualization = "cusp.visualization",
  utils = "cusp.utils", yaml = "cusp.formats.yaml",
  zip = "cusp.formats.zip", compile = "cusp.tensors.compile",
}

-- name → function that returns its value
local loaders = {}
for name, path in pairs(modules) do
  loaders[name] = function() return require(path) end
end

-- Rooms that lower ones ask for by name.
for name, loader in pairs(loaders) do rooms.provide(name, loader) end
rooms.provide("library", function() return cusp end)
for _, path in ipairs{
  "cusp.export_c", "cusp.symbolic.tensors", "cusp.ops.image", "cusp.optimizers.schedules",
  "cusp.saving.configuration", "cusp.saving.configuration.functional_reader",
  "cusp.saving.configuration.functional_writer", "cusp.saving.configuration.training",
  "cusp.saving.functions", "cusp.saving.keras2.upgrade", "cusp.saving.methods",
  "cusp.utils.feature_parts",
} do
  rooms.provide(path:sub(#"cusp." + 1), function() return require(path) end)
end

local function member(path, name)
  return function() return require(path)[name] end
end

--- A new axis of size 1 in `t:slice{...}`; the same as `cusp.null`.
loaders.newaxis = loaders.null

for name, path in pairs{
  tensor = "cusp.tensors.creation", zeros = "cusp.tensors.creation", ones = "cusp.tensors.creation",
  full = "cusp.tensors.creation", arange = "cusp.tensors.creation",
  linspace = "cusp.tensors.creation",
  eye = "cusp.tensors.creation", zeros_like = "cusp.tensors.creation",
  ones_like = "cusp.tensors.creation",
  GradientTape = "cusp.tensors.gradients", grad = "cusp.tensors.gradients",
  value_and_grad = "cusp.tensors.gradients", Layer = "cusp.layers", Loss = "cusp.losses",
  Metric = "cusp.metrics", Optimizer = "cusp.optimizers", Initializer = "cusp.initializers",
  Regularizer = "cusp.regularizers", Quantizer = "cusp.quantizers", Model = "cusp.models",
  Sequential = "cusp.models",
  Input = "cusp.layers", InputSpec = "cusp.layers", Function = "cusp.models",
  SeedGenerator = "cusp.tensors.random",
  save = "cusp.saving.tensors", load = "cusp.saving.tensors",
} do
  loaders[name] = member(path, name)
end

loaders.display = function() return require "cusp.base.display" end
loaders.inspect = function() return require "cusp.base.inspect" end
loaders.Variable = function() return require "cusp.tensors.variable" end
loaders.DTypePolicy = function() return require "cusp.base.dtype_policy" end
loaders.FloatDTypePolicy = loaders.DTypePolicy
loaders.Object = function() return require "cusp.base.class" end
loaders.remat = member("cusp.layers.machinery.remat", "remat")
loaders.RematScope = member("cusp.layers.machinery.remat", "RematScope")
loaders.name_scope = member("cusp.base.names", "scope")
loaders.None = member("cusp.base.shape", "None")
loaders.shape = member("cusp.base.shape", "copy")

--- Monotonic time in seconds, for measuring.
-- @function cusp.time
loaders.time = function() return require("cusp.engine").monotonic end

--- Sets how many threads the engine uses.
-- @function cusp.set_num_threads
loaders.set_num_threads = function() return require("cusp.engine").set_num_threads end
loaders.get_num_threads = function() return require("cusp.engine").get_num_threads end

return setmetatable(cusp, {
  __name = "cusp",
  __members = loaders,
  __pairs = absent.pairs,
  __tostring = function() return cusp._VERSION end,
  __index = function(_, name)
    local loader = loaders[name]
    if not loader then return absent.note(cusp, name) end
    local value = loader()
    if type(value) == "table" and getmetatable(value) == nil then
      absent.watch(value, "cusp." .. name)
    end
    rawset(cusp, name, value)
    absent.name_function(value, "cusp", name)
    return value
  end,
})
