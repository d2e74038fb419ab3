--- Seeds from seeds: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
-- generators", 2014).
-- @module cusp.tensors.split_mix
local split_mix = {}

--- What is added to the state for each number.
split_mix.step = 0x9E3779B97F4A7C15

--- The number of a state.
-- @tparam integer z
-- @treturn integer
function split_mix.mix(z)
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

return split_mix
