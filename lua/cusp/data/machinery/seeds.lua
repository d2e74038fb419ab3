--- Seeds of shuffling: what `seed` and `reshuffle_each_iteration` mean over several iterations.
-- @module cusp.data.machinery.seeds
local engine = require "cusp.engine"
local random = require "cusp.tensors.random"
local split_mix = require "cusp.tensors.split_mix"

local seeds = {}

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
  return split_mix.mix(options.seed + options.iterations * split_mix.step)
end

--- Integers below a bound in a reproducible sequence.
-- @tparam integer seed
-- @treturn function of the bound
function seeds.sequence(seed)
  local state = seed
  return function(bound)
    state = state + split_mix.step
    return (split_mix.mix(state) >> 1) % bound
  end
end

return seeds
