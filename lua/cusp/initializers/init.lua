--- Initializers: the initial values of weights.
-- @module cusp.initializers
-- @usage layers.Dense{32, kernel_initializer = cusp.initializers.HeNormal{seed = 1}}
local namespace = require "cusp.base.namespace"

local members = {
  Initializer = "initializer", RandomInitializer = {"random", "RandomInitializer"},
  Orthogonal = "orthogonal", OrthogonalInitializer = "orthogonal", STFT = "stft",
  STFTInitializer = "stft",
}
for file, names in pairs{
  constant = {"Zeros", "Ones", "Constant", "Identity"},
  random = {"RandomNormal", "RandomUniform", "TruncatedNormal"},
  variance_scaling = {"VarianceScaling", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal",
    "LecunUniform", "LecunNormal"},
} do
  for _, name in ipairs(names) do members[name] = {file, name} end
end
members.IdentityInitializer = members.Identity

-- Keras also offers each class under its name in snake case.
local snake = {}
for name, file in pairs(members) do snake[namespace.snake_case(name)] = file end
for name, file in pairs(snake) do members[name] = members[name] or file end
members.stft = "stft"

return namespace.of_objects(namespace.new("cusp.initializers", members), {
  what = "initializer",
  module = "keras.initializers",
  aliases = {uniform = "RandomUniform", normal = "RandomNormal", zero = "Zeros", one = "Ones",
    Zero = "Zeros", One = "Ones"},
})
