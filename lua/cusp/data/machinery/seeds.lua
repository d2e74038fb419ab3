--- Seeds of shuffling: what `seed` and `reshuffle_each_iteration` mean over several iterations.
-- @module cusp.data.machinery.seeds
local engine = require "cusp.engine"
local random = require "cusp.tensors.random"

local seeds = {}

-- SplitMix64, as in cusp.random.
local function mix(z)
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

--- A seed from the generator that `cusp.random.set_seed` sets, so that what restores its state
-- restores the order too.
function seeds.fresh()
  return engine.ops.random_randint(random.key_of(nil, "shuffle"), {1}, 0, math.maxinteger,
    "int64"):item(1)
end

--- The seed of the next iteration of a shuffling dataset.
-- @tparam table options `seed`, `reshuffle_each_iteration`; `iterations` is counted there
function seeds.next(options)
  if not options.reshuffle_each_iteration then return options.seed end
  if not options.seed then return seeds.fresh() end
  options.iterations = (options.iterations or 0) + 1
  return mix(options.seed + options.iterations * 0x9E3779B97F4A7C15)
end

--- Integers below a bound in a reproducible sequence.
-- @tparam integer seed
-- @treturn function of the bound
function seeds.sequence(seed)
  local state = seed
  return function(bound)
    state = state + 0x9E3779B97F4A7C15
    return (mix(state) >> 1) % bound
  end
end

return seeds
