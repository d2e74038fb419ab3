--- Random tensors. Every function takes a `seed` as its last argument: an integer (the same numbers
-- at each call), a `SeedGenerator` (new numbers at each call, the same sequence in each run), or
-- nothing, for the generator of `set_seed`. Equal seeds give equal numbers, with any number of
-- threads.
-- @module cusp.tensors.random
-- @usage local x = cusp.random.normal({1000, 72}, {stddev = 0.1, seed = 1})
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local context = require "cusp.base.context"
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local registry = require "cusp.base.registry"
local replicas = require "cusp.base.replicas"
local split_mix = require "cusp.tensors.split_mix"
local whole = require "cusp.base.whole"

local random = {}

---------------------------------------------------------------- seeds

local function entropy()
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(8)
  if file then file:close() end
  if bytes and #bytes == 8 then return (string.unpack("<i8", bytes)) end
  return split_mix.mix(os.time() * 1000003 + math.floor(os.clock() * 1e9))
end

local seeds = {state = entropy()}
local global = engine.generator(seeds.state)
whole.keep(seeds)
whole.keep(global:state())

--- Makes all later random numbers reproducible: draws without a seed, initial weights, dropout,
-- shuffling.
-- @tparam integer seed
function random.set_seed(seed)
  local integer = type(seed) == "number" and math.tointeger(seed)
  if not integer then
    errors.raise("set_seed: expected an integer, got %s", errors.describe(seed))
  end
  seeds.state = split_mix.mix(integer)
  global:seed(integer)
end

--- A new seed, a nonnegative integer below 2^31, from the sequence of `set_seed`.
function random.make_seed()
  seeds.state = seeds.state + split_mix.step
  return split_mix.mix(seeds.state) >> 33
end

--- The state of the generator for draws without a seed.
-- @treturn table plain data and a tensor, for `set_state`
function random.get_state() return {seeds = seeds.state, generator = global:state().value} end

--- Restores the state from `get_state`: the same numbers follow.
-- @tparam table state
function random.set_state(state)
  if type(state) ~= "table" or math.type(state.seeds) ~= "integer"
    or type(state.generator) ~= "userdata" then
    errors.raise("set_state: expected the result of get_state, got %s", errors.describe(state))
  end
  global:state():assign(state.generator)
  seeds.state = state.seeds
end

--- Has all processes go on with the random numbers of rank 0.
-- @local
function random.agree()
  local words = {seeds.state, table.unpack(engine.ops.cast(global:state(), "int64"):tolist())}
  local first = replicas.active.gather(string.pack("<i8i8i8", table.unpack(words)))[1]
  local state, a, b = string.unpack("<i8i8i8", first)
  local generator = engine.ops.cast(engine.tensor({a, b}, {dtype = "int64"}), "uint64")
  random.set_state{seeds = state, generator = generator}
end

--- A generator of seeds, which advances with each use.
-- @type SeedGenerator
-- @tparam[opt] integer seed initial seed; a new one by default
local SeedGenerator = Object:extend("SeedGenerator", {
  config = {{"seed", "integer", optional = true}, {"name", "string", optional = true}},
  init = function(self, args)
    Object.configure(self, args)
    self.initial_seed = self.seed or random.make_seed()
    self.generator = engine.generator(self.initial_seed)
  end,
  get_config = function(self)
    return require("cusp.base.ordered").object({seed = self.initial_seed}, {"seed"})
  end,
})
SeedGenerator.__module = "keras.random"
random.SeedGenerator = SeedGenerator

--- The key of the next draw.
-- @treturn tensor uint64[2]
function SeedGenerator:next() return self.generator:next() end

SeedGenerator.__getters.state = function(self) return self.generator:state() end

--- Converts a value to a SeedGenerator: from itself, or its serialised form; nil for other values.
-- @local
function random.as_generator(value)
  if Object.is_instance(value, SeedGenerator) then return value end
  if kinds.is_plain(value) and value.class_name == "SeedGenerator" then
    return registry.deserialize(value, {module = "keras.random"})
  end
end

-- Of processes that train together, each drops out others: the key of a layer's draw in training is
-- this process's own.
local function own_key(key)
  local active = replicas.active
  if not active or active.rank == 0 or not context.get().training then return key end
  local apart = engine.tensor({active.rank * split_mix.step, 0}, {dtype = "int64"})
  return engine.ops.add(key, engine.ops.cast(apart, "uint64"))
end

-- The key of one draw.
-- @local
local function key_of(seed, name)
  if seed == nil then return own_key(global:next()) end
  if type(seed) == "number" and math.tointeger(seed) then
    local key = {math.tointeger(seed), 0}
    if key[1] >= 0 then return engine.tensor(key, {dtype = "uint64"}) end
    return engine.ops.cast(engine.tensor(key, {dtype = "int64"}), "uint64") -- the same bits
  end
  local generator = random.as_generator(seed)
  if generator then return own_key(generator:next()) end
  local is_value = engine.is_tensor(seed) or engine.is_variable(seed)
  if type(seed) == "userdata" and not is_value then return seed:next() end
  errors.raise("%s: the seed should be an integer or a SeedGenerator, got %s", name,
    errors.describe(seed))
end
random.key_of = key_of

---------------------------------------------------------------- distributions

local rows = engine.ops

local function float_type(dtype) return dtype or engine.get_floatx() end

-- Raises for sizes one by one, random.normal(2, 3): the second would be the mean.
local function refuse_sizes(name, ...)
  local first, second = ...
  if select("#", ...) == 2 and math.type(first) == "integer" and math.type(second) == "integer" then
    errors.raise("%s: a shape of several sizes goes in braces: %s{%d, %d}", name, name, first,
      second)
  end
end

-- Defines random.NAME; `f` gets the bound arguments, the last of which is the key of the draw.
local function distribution(name, signature, f)
  local bind = arguments.binder("random." .. name, signature .. ", seed: any = nil")
  local checks_shape = signature:find "^shape: shape, %w+: float"
  engine.name_function(f, "random." .. name) -- a tail call: the frame of the function is gone
  random[name] = function(...)
    if checks_shape then refuse_sizes("random." .. name, ...) end
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
distribution("uniform",
  "shape: shape, minval: float = 0.0, maxval: float = 1.0, dtype: dtype = nil",
  function(shape, low, high, dtype, key)
  dtype = float_type(dtype)
  if not dtype:find "float" then
    return rows.random_randint(key, shape, math.tointeger(low), math.tointeger(high), dtype)
  end
  return rows.random_uniform(key, shape, low, high, dtype)
end)

--- Values from a normal distribution.
-- @function normal
-- @tparam {integer,...} shape
-- @tparam[opt=0] number mean
-- @tparam[opt=1] number stddev
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("normal", "shape: shape, mean: float = 0.0, stddev: float = 1.0, dtype: dtype = nil",
  function(shape, mean, stddev, dtype, key)
  return rows.random_normal(key, shape, mean, stddev, float_type(dtype))
end)

--- Values from a normal distribution, none further than two standard deviations from the mean.
-- @function truncated_normal
-- @see normal
distribution("truncated_normal",
  "shape: shape, mean: float = 0.0, stddev: float = 1.0, dtype: dtype = nil",
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
distribution("randint", "shape: shape, minval: int, maxval: int, dtype: dtype = int32",
  function(shape, low, high, dtype, key)
  if low >= high then
    errors.raise("random.randint: maxval (%d) should be above minval (%d)", high, low)
  end
  return rows.random_randint(key, shape, low, high, dtype)
end)

--- Class ids (from 0) drawn with the probabilities `softmax(logits)` of each row.
-- @function categorical
-- @tparam tensor logits `[batch, classes]`
-- @tparam integer num_samples
-- @tparam[opt="int32"] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor `[batch, num_samples]`
distribution("categorical", "logits, num_samples: int, dtype: dtype = int32",
  function(logits, num_samples, dtype, key)
  return rows.random_categorical(key, logits, num_samples, dtype)
end)

--- A tensor in random order along one axis.
-- @function shuffle
-- @tparam tensor x
-- @tparam[opt=1] integer axis
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor of the shape of x
distribution("shuffle", "x, axis: axis = 1", function(x, axis, key)
  return rows.random_shuffle(key, x, axis)
end)

--- Sets elements to 0 with probability `rate` and scales the others by `1 / (1 - rate)`.
-- @function dropout
-- @tparam tensor inputs
-- @tparam number rate
-- @tparam[opt] {integer,...} noise_shape shape of the mask; an axis of 1 (or null) shares or
-- follows the inputs' axis
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor of the shape of inputs
distribution("dropout", "inputs, rate: float, noise_shape: list = nil",
  function(inputs, rate, noise_shape, key)
  inputs = define.tensor(inputs)
  if not noise_shape then return rows.dropout(key, inputs, rate) end
  local shape = inputs.shape
  for i = 1, #shape do
    if type(noise_shape[i]) == "number" then shape[i] = noise_shape[i] end
  end
  return rows.dropout(key, inputs, rate, shape)
end)

--- Values from a gamma distribution with shape parameter `alpha` and scale 1.
-- @function gamma
-- @tparam {integer,...} shape
-- @tparam number|tensor alpha broadcasts to the shape
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("gamma", "shape: shape, alpha, dtype: dtype = nil", function(shape, alpha, dtype, key)
  return rows.random_gamma(key, alpha, shape, float_type(dtype))
end)

--- Values from a beta distribution.
-- @function beta
-- @tparam {integer,...} shape
-- @tparam number|tensor alpha
-- @tparam number|tensor beta
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("beta", "shape: shape, alpha, beta, dtype: dtype = nil",
  function(shape, alpha, beta, dtype, key)
  return rows.random_beta(key, alpha, beta, shape, float_type(dtype))
end)

--- The number of successes in `counts` trials with the given probabilities.
-- @function binomial
-- @tparam {integer,...} shape
-- @tparam number|tensor counts
-- @tparam number|tensor probabilities
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("binomial", "shape: shape, counts, probabilities, dtype: dtype = nil",
  function(shape, counts, probabilities, dtype, key)
  return rows.random_binomial(key, counts, probabilities, shape, float_type(dtype))
end)

--- 1 with probability `p`, otherwise 0.
-- @function bernoulli
-- @tparam {integer,...} shape
-- @tparam[opt=0.5] number|tensor p
-- @tparam[opt] string dtype
-- @tparam[opt] integer|SeedGenerator seed
-- @treturn tensor
distribution("bernoulli", "shape: shape, p: any = 0.5, dtype: dtype = nil",
  function(shape, p, dtype, key)
  return rows.cast(rows.less(rows.random_uniform(key, shape, 0.0, 1.0, "float32"), p),
    float_type(dtype))
end)

return random
