--- Reproducible random draws: SplitMix64, so that a seed gives the same cases in every process and
-- every Lua.
-- @module draw
local draw = {}
draw.__index = draw

--- A random source.
-- @tparam integer seed
function draw.new(seed)
  local self = setmetatable({state = seed}, draw)
  self.state = self:bits() ~ seed << 32 -- neighbouring seeds must not walk the same row of states
  return self
end

--- A 64-bit integer.
function draw:bits()
  self.state = self.state + 0x9E3779B97F4A7C15
  local z = self.state
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

--- An integer in a range, inclusive.
function draw:integer(low, high)
  return low + (self:bits() >> 1) % (high - low + 1)
end

--- True with a given probability.
function draw:chance(probability)
  return (self:bits() >> 11) * 0x1p-53 < probability
end

--- An item of a list.
function draw:pick(list)
  return list[self:integer(1, #list)]
end

--- One of the values, with probabilities by weight: `{{weight, value}, ...}`.
function draw:weighted(list)
  local total = 0
  for _, entry in ipairs(list) do total = total + entry[1] end
  local at = self:integer(1, total)
  for _, entry in ipairs(list) do
    at = at - entry[1]
    if at <= 0 then return entry[2] end
  end
end

return draw
