--- Cusp: deep learning for Lua, after Keras.
-- Everything is loaded when it is first asked for, so that `require "cusp"` takes milliseconds.
-- @module cusp
-- @usage
-- local cusp = require "cusp"
-- local model = cusp.Sequential{cusp.layers.Dense{10, activation = "softmax"}}
-- model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}}
local cusp = {}

cusp._VERSION = "Cusp 0.1.0"

local modules = {
  "activations", "callbacks", "config", "constraints", "data", "datasets", "hdf5", "initializers", "json", "layers", "losses", "metrics",
  "models", "null", "numpy", "ops", "optimizers", "random", "regularizers", "saving", "summary", "tfrecord", "utils", "yaml", "zip",
  "compile",
}

-- name → function that gives its value
local loaders = {}
for _, name in ipairs(modules) do
  loaders[name] = function() return require("cusp." .. name) end
end

local function member(path, name)
  return function() return require(path)[name] end
end

for name, path in pairs {
  tensor = "cusp.creation", zeros = "cusp.creation", ones = "cusp.creation", full = "cusp.creation", arange = "cusp.creation",
  linspace = "cusp.creation", eye = "cusp.creation", zeros_like = "cusp.creation", ones_like = "cusp.creation",
  GradientTape = "cusp.gradients", grad = "cusp.gradients", value_and_grad = "cusp.gradients",
  Layer = "cusp.layers", Loss = "cusp.losses", Metric = "cusp.metrics", Optimizer = "cusp.optimizers", Initializer = "cusp.initializers",
  Regularizer = "cusp.regularizers", Model = "cusp.models", Sequential = "cusp.models", Input = "cusp.layers",
  SeedGenerator = "cusp.random",
  save = "cusp.persistence", load = "cusp.persistence",
} do
  loaders[name] = member(path, name)
end

loaders.Variable = function() return require "cusp.variable" end
loaders.Object = function() return require "cusp.class" end
loaders.None = member("cusp.shape", "None")
loaders.shape = member("cusp.shape", "copy")

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
  __tostring = function() return cusp._VERSION end,
  __index = function(_, name)
    local loader = loaders[name]
    if not loader then return nil end
    local value = loader()
    rawset(cusp, name, value)
    return value
  end,
})
