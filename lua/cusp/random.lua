--- Random tensors.
-- Every function takes a `seed` last: an integer (the same numbers at each call), a `SeedGenerator` (fresh numbers at each call, the same
-- sequence in each run), or nothing, for the generator that `set_seed` sets. The same seeds give the same numbers whatever the number of
-- threads.
-- @module cusp.random
-- @usage local x = cusp.random.normal({1000, 72}, {stddev = 0.1, seed = 1})
local Object = require "cusp.class"
local arguments = require "cusp.arguments"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.errors"
local kinds = require "cusp.kinds"
local registry = require "cusp.registry"

local random = {}

---------------------------------------------------------------- seeds

-- SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): seeds for what has none.
local function mix(z)
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

local function entropy()
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(8)
  if file then file:close() end
  if bytes and #bytes == 8 then return (string.unpack("<i8", bytes)) end
  return mix(os.time() * 1000003 + math.floor(os.clock() * 1e9))
end

local seeds = { state = entropy() }
local global = engine.generator(seeds.state)

--- Makes everything random that follows reproducible: draws without a seed, initial weights, dropout, shuffling.
-- @tparam integer seed
function random.set_seed(seed)
  local integer = type(seed) == "number" and math.tointeger(seed)
  if not integer then errors.raise("set_seed: expected an integer, got %s", errors.describe(seed)) end
  seeds.state = mix(integer)
  global:seed(integer)
end

--- A fresh seed, a non-negative integer below 2^31, from the sequence that `set_seed` starts.
function random.make_seed()
  seeds.state = seeds.state + 0x9E3779B97F4A7C15
  return mix(seeds.state) >> 33
end

--- A source of seeds of its own: each use moves it on.
-- @type SeedGenerator
-- @tparam[opt] integer seed where it starts; a fresh one by default
local SeedGenerator = Object:extend("SeedGenerator", {
  config = { { "seed", "integer", optional = true }, { "name", "string", optional = true } },
  init = function(self, args)
    Object.configure(self, args)
    self.initial_seed = self.seed or random.make_seed()
    self.generator = engine.generator(self.initial_seed)
  end,
  get_config = function(self)
    return require("cusp.ordered").object({ seed = self.initial_seed }, { "seed" })
  end,
})
SeedGenerator.__module = "keras.random"
random.SeedGenerator = SeedGenerator

--- The key of the next draw.
-- @treturn tensor uint64[2]
function SeedGenerator:next() return self.generator:next() end

SeedGenerator.__getters.state = function(self) return self.generator:state() end

--- A SeedGenerator for what may stand for one: itself, or its serialised form; nil for other values.
function random.as_generator(value)
  if Object.is_instance(value, SeedGenerator) then return value end
  if kinds.is_plain(value) and value.class_name == "SeedGenerator" then return registry.deserialize(value, { module = "keras.random" }) end
end

-- The key of one draw.
local function key_of(seed, name)
  if seed == nil then return global:next() end
  if type(seed) == "number" and math.tointeger(seed) then
    return engine.tensor({ math.tointeger(seed), 0 }, { dtype = "uint64" })
  end
  local generator = random.as_generator(seed)
  if generator then return generator:next() end
  if type(seed) == "userdata" and not engine.is_tensor(seed) then return seed:next() end
  errors.raise("%s: the seed should be an integer or a SeedGenerator, got %s", name, errors.describe(seed))
end
random.key_of = key_of

---------------------------------------------------------------- distributions

local rows = engine.ops

local function float_type(dtype) return dtype or engine.get_floatx() end

-- Defines random.NAME; `f` gets the bound arguments, the last of which is the key of the draw.
local function distribution(name, signature, f)
  local bind = arguments.binder("random." .. name, signature .. ", seed: any = nil")
  random[name] = function(...)
    local values = table.pack(bind(...))
    values[values.n] = key_of(values[values.n], "random." .. name)
    return f(table.unpack(values, 1, values.n))
  end
end

--- Uniform values in `[minval, maxval)`; integers for an integer dtype.
-- @function uniform
-- @tparam {integer,...} shape
-- @tparam[opt=0] number minval
-- @tparam[opt=1] number maxval
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("uniform", "shape: shape, minval: float = 0.0, maxval: float = 1.0, dtype: dtype = nil", function(shape, low, high, dtype, key)
  dtype = float_type(dtype)
  if not dtype:find "float" then return rows.random_randint(key, shape, math.tointeger(low), math.tointeger(high), dtype) end
  return rows.random_uniform(key, shape, low, high, dtype)
end)

--- Values of a normal distribution.
-- @function normal
-- @tparam {integer,...} shape
-- @tparam[opt=0] number mean
-- @tparam[opt=1] number stddev
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("normal", "shape: shape, mean: float = 0.0, stddev: float = 1.0, dtype: dtype = nil", function(shape, mean, stddev, dtype, key)
  return rows.random_normal(key, shape, mean, stddev, float_type(dtype))
end)

--- Values of a normal distribution, none further than two standard deviations from the mean.
-- @function truncated_normal
-- @see normal
distribution("truncated_normal", "shape: shape, mean: float = 0.0, stddev: float = 1.0, dtype: dtype = nil",
  function(shape, mean, stddev, dtype, key)
    return rows.random_truncated_normal(key, shape, mean, stddev, float_type(dtype))
  end)

--- Integers with `minval <= x < maxval`, all equally likely.
-- @function randint
-- @tparam {integer,...} shape
-- @tparam integer minval
-- @tparam integer maxval
-- @tparam[opt="int32"] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("randint", "shape: shape, minval: int, maxval: int, dtype: dtype = int32", function(shape, low, high, dtype, key)
  if low >= high then errors.raise("random.randint: maxval (%d) should be above minval (%d)", high, low) end
  return rows.random_randint(key, shape, low, high, dtype)
end)

--- Class ids (from 0) drawn with the probabilities `softmax(logits)` of each row.
-- @function categorical
-- @tparam tensor logits `[batch, classes]`
-- @tparam integer num_samples
-- @tparam[opt="int32"] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor `[batch, num_samples]`
distribution("categorical", "logits, num_samples: int, dtype: dtype = int32", function(logits, num_samples, dtype, key)
  logits = define.tensor(logits)
  local shape = logits.shape
  if #shape ~= 2 then errors.raise("random.categorical: logits should have shape [batch, classes], got %s", errors.shape(shape)) end
  -- The largest of logits plus Gumbel noise is a draw from their softmax.
  local uniform = rows.random_uniform(key, { shape[1], num_samples, shape[2] }, 1e-38, 1.0, "float32")
  local noise = rows.negative(rows.log(rows.negative(rows.log(uniform))))
  local noisy = rows.add(rows.expand_dims(rows.cast(logits, "float32"), 2), noise)
  return rows.cast(rows.argmax(noisy, 3), dtype)
end)

--- A tensor in random order along one axis.
-- @function shuffle
-- @tparam tensor x
-- @tparam[opt=1] integer axis
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor of the shape of x
distribution("shuffle", "x, axis: axis = 1", function(x, axis, key)
  x = define.tensor(x)
  local size = x.shape[axis < 0 and #x.shape + 1 + axis or axis]
  if not size then errors.raise("random.shuffle: axis %d is out of range for shape %s", axis, errors.shape(x.shape)) end
  local order = rows.argsort(rows.random_uniform(key, { size }, 0.0, 1.0, "float64"))
  return rows.take(x, order, axis)
end)

--- Sets elements to 0 with probability `rate` and scales the others by `1 / (1 - rate)`.
-- @function dropout
-- @tparam tensor inputs
-- @tparam number rate
-- @tparam[opt] {integer,...} noise_shape shape of the mask; an axis of 1 (or null) shares or follows the inputs' axis
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor of the shape of inputs
distribution("dropout", "inputs, rate: float, noise_shape: list = nil", function(inputs, rate, noise_shape, key)
  inputs = define.tensor(inputs)
  if not (rate >= 0 and rate <= 1) then errors.raise("random.dropout: rate should be between 0 and 1, got %s", rate) end
  if rate == 0 then return inputs end
  local shape = inputs.shape
  local mask_shape = {}
  for i = 1, #shape do
    local size = noise_shape and noise_shape[i]
    mask_shape[i] = type(size) == "number" and math.tointeger(size) or shape[i]
  end
  if rate == 1 then return rows.zeros_like(inputs) end
  local keep = rows.greater_equal(rows.random_uniform(key, mask_shape, 0.0, 1.0, "float32"), rate)
  return rows.where(keep, rows.multiply(inputs, 1 / (1 - rate)), 0.0)
end)

---------------------------------------------------------------- distributions by rejection

-- Marsaglia and Tsang, "A simple method for generating gamma variables" (2000), on whole tensors: each round redraws everything and
-- keeps what an earlier round accepted. A round accepts more than 95% for alpha >= 1, so that after twelve nothing is left.
local function gamma_draw(generator, shape, alpha)
  local boosted = rows.less(alpha, 1.0)
  local a = rows.where(boosted, rows.add(alpha, 1.0), alpha)
  local d = rows.subtract(a, 1 / 3)
  local c = rows.divide(1.0, rows.sqrt(rows.multiply(d, 9.0)))
  local result = rows.broadcast_to(d, shape)
  local accepted = rows.zeros(shape, "bool")
  for _ = 1, 12 do
    local x = rows.random_normal(generator:next(), shape, 0.0, 1.0, "float32")
    local u = rows.random_uniform(generator:next(), shape, 1e-38, 1.0, "float32")
    local v = rows.power(rows.add(rows.multiply(x, c), 1.0), 3)
    local positive = rows.greater(v, 0.0)
    local bound = rows.add(rows.multiply(rows.square(x), 0.5), rows.multiply(d, rows.add(rows.subtract(1.0, v),
      rows.log(rows.where(positive, v, 1.0)))))
    local good = rows.logical_and(positive, rows.less(rows.log(u), bound))
    result = rows.where(rows.logical_and(good, rows.logical_not(accepted)), rows.multiply(d, v), result)
    accepted = rows.logical_or(accepted, good)
  end
  local u = rows.random_uniform(generator:next(), shape, 1e-38, 1.0, "float32")
  return rows.where(boosted, rows.multiply(result, rows.power(u, rows.divide(1.0, alpha))), result)
end

-- A generator for draws that need many keys.
local function generator_of(seed, name)
  if seed == nil then return global end
  if type(seed) == "number" and math.tointeger(seed) then return engine.generator(math.tointeger(seed)) end
  return random.as_generator(seed) or errors.raise("random.%s: the seed should be an integer or a SeedGenerator, got %s", name,
    errors.describe(seed))
end

local function rejection(name, signature, f)
  local bind = arguments.binder("random." .. name, signature .. ", seed: any = nil")
  random[name] = function(...)
    local values = table.pack(bind(...))
    values[values.n] = generator_of(values[values.n], name)
    return f(table.unpack(values, 1, values.n))
  end
end

local function float32(value) return rows.cast(define.tensor(value), "float32") end

--- Values of a gamma distribution of shape parameter `alpha` and scale 1.
-- @function gamma
-- @tparam {integer,...} shape
-- @tparam number|tensor alpha broadcasts to the shape
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
rejection("gamma", "shape: shape, alpha, dtype: dtype = nil", function(shape, alpha, dtype, generator)
  return rows.cast(gamma_draw(generator, shape, float32(alpha)), float_type(dtype))
end)

local function beta_draw(generator, shape, alpha, beta)
  local x, y = gamma_draw(generator, shape, alpha), gamma_draw(generator, shape, beta)
  return rows.divide(x, rows.add(x, y))
end

--- Values of a beta distribution.
-- @function beta
-- @tparam {integer,...} shape
-- @tparam number|tensor alpha
-- @tparam number|tensor beta
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
rejection("beta", "shape: shape, alpha, beta, dtype: dtype = nil", function(shape, alpha, beta, dtype, generator)
  return rows.cast(beta_draw(generator, shape, float32(alpha), float32(beta)), float_type(dtype))
end)

-- Relles, "A simple algorithm for generating binomial random variables when N is large" (1972): the median of `n` uniform numbers is a
-- beta variable; whether it lies above `p` halves the problem.
local function binomial_draw(generator, shape, counts, p)
  counts, p = rows.broadcast_to(counts, shape), rows.broadcast_to(p, shape)
  local result = rows.zeros(shape, "float32")
  local largest = rows.max(counts):item()
  local halvings = largest > 0 and math.floor(math.log(largest, 2)) + 1 or 0
  for _ = 1, halvings do
    local i = rows.floor(rows.add(rows.multiply(counts, 0.5), 1.0))
    local live = rows.greater(counts, 0.0)
    i = rows.minimum(i, rows.maximum(counts, 1.0))
    local rest = rows.maximum(rows.subtract(rows.add(counts, 1.0), i), 1.0)
    local x = rows.clip(beta_draw(generator, shape, i, rest), 1e-7, 1 - 1e-7)
    local above = rows.greater(x, p)
    local next_counts = rows.where(above, rows.subtract(i, 1.0), rows.subtract(counts, i))
    local next_p = rows.where(above, rows.divide(p, x), rows.divide(rows.subtract(p, x), rows.subtract(1.0, x)))
    result = rows.where(rows.logical_and(live, rows.logical_not(above)), rows.add(result, i), result)
    counts = rows.where(live, next_counts, 0.0)
    p = rows.clip(next_p, 0.0, 1.0)
  end
  return result
end

--- How many of `counts` trials succeed with the given probabilities.
-- @function binomial
-- @tparam {integer,...} shape
-- @tparam number|tensor counts
-- @tparam number|tensor probabilities
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
rejection("binomial", "shape: shape, counts, probabilities, dtype: dtype = nil", function(shape, counts, probabilities, dtype, generator)
  return rows.cast(binomial_draw(generator, shape, float32(counts), float32(probabilities)), float_type(dtype))
end)

--- 1 with probability `p`, otherwise 0.
-- @function bernoulli
-- @tparam {integer,...} shape
-- @tparam[opt=0.5] number|tensor p
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("bernoulli", "shape: shape, p: any = 0.5, dtype: dtype = nil", function(shape, p, dtype, key)
  return rows.cast(rows.less(rows.random_uniform(key, shape, 0.0, 1.0, "float32"), p), float_type(dtype))
end)

return random
