--- Random initializers, and their base, which keeps the seed. With a seed, an initializer returns
-- the same values at every call. Without one, each call draws a new seed from the generator of
-- `cusp.random.set_seed`, so a program with a set seed is reproducible. A `SeedGenerator` advances
-- with each call.
-- @module cusp.initializers.random
local Initializer = require "cusp.initializers.initializer"
local random = require "cusp.tensors.random"

local initializers = {}

--- The base of random initializers.
local RandomInitializer = Initializer:extend "RandomInitializer"
initializers.RandomInitializer = RandomInitializer

local seed = {"seed", "seed", optional = true}

--- The value for `seed` in one draw.
function RandomInitializer:draw_seed()
  if self.seed == nil then return random.make_seed() end
  return self.seed
end

--- Independent values from a normal distribution.
initializers.RandomNormal = RandomInitializer:extend("RandomNormal", {
  config = {{"mean", "number", default = 0.0}, {"stddev", "number", default = 0.05}, seed},
  call = function(self, shape, dtype)
    return random.normal(shape, self.mean, self.stddev, dtype, self:draw_seed())
  end,
})

--- Independent values from a uniform distribution.
initializers.RandomUniform = RandomInitializer:extend("RandomUniform", {
  config = {{"minval", "number", default = -0.05}, {"maxval", "number", default = 0.05}, seed},
  call = function(self, shape, dtype)
    return random.uniform(shape, self.minval, self.maxval, dtype, self:draw_seed())
  end,
})

--- Independent values from a normal distribution, redrawn if beyond two standard deviations.
initializers.TruncatedNormal = RandomInitializer:extend("TruncatedNormal", {
  config = {{"mean", "number", default = 0.0}, {"stddev", "number", default = 0.05}, seed},
  call = function(self, shape, dtype)
    return random.truncated_normal(shape, self.mean, self.stddev, dtype, self:draw_seed())
  end,
})

initializers.seed_parameter = seed

--- A seed: an integer, or a SeedGenerator.
require("cusp.base.kinds").define("seed", {
  check = function(value)
    if type(value) == "number" then
      local integer = math.tointeger(value)
      return integer ~= nil, integer
    end
    local generator = random.as_generator(value)
    return generator ~= nil, generator
  end,
  expects = "an integer or a SeedGenerator",
  to_config = function(value)
    if type(value) == "number" then return value end
    return require("cusp.base.registry").serialize(value)
  end,
})

return initializers
