--- NumPy's `RandomState(seed).shuffle`, so that a seed splits the files of a directory into
-- training and validation as in Keras. Implements the Mersenne Twister of Matsumoto and Nishimura
-- (1998), and NumPy's bounded integers: it masks off the bits above the bound and draws again while
-- the word is too large.
-- @module cusp.utils.random_state
local random_state = {}

local N, M = 624, 397

local function seeded(seed)
  local words = {}
  words[1] = seed & 0xffffffff
  for i = 2, N do
    local before = words[i - 1]
    words[i] = (1812433253 * (before ~ (before >> 30)) + i - 1) & 0xffffffff
  end
  return words
end

local function twist(words)
  for i = 1, N do
    local y = words[i] & 0x80000000 | words[i % N + 1] & 0x7fffffff
    words[i] = words[(i + M - 1) % N + 1] ~ y >> 1 ~ (y & 1) * 0x9908b0df
  end
end

local function temper(y)
  y = y ~ (y >> 11)
  y = y ~ ((y << 7) & 0x9d2c5680)
  y = y ~ ((y << 15) & 0xefc60000)
  return (y ~ (y >> 18)) & 0xffffffff
end

local function generator(seed)
  local words, at = seeded(seed), N
  return function()
    if at == N then
      twist(words)
      at = 0
    end
    at = at + 1
    return temper(words[at])
  end
end

-- An integer from 0 to `most`.
local function draw(next_word, most)
  if most == 0 then return 0 end
  local mask = most
  for _, shift in ipairs{1, 2, 4, 8, 16, 32} do mask = mask | mask >> shift end
  while true do
    local value = next_word()
    if most > 0xffffffff then value = value << 32 | next_word() end
    value = value & mask
    if value <= most then return value end
  end
end

--- Shuffles a list in place.
-- @tparam integer seed from 0 to 2^32 - 1
-- @tparam table list
function random_state.shuffle(seed, list)
  local next_word = generator(seed)
  for i = #list, 2, -1 do
    local j = draw(next_word, i - 1) + 1
    list[i], list[j] = list[j], list[i]
  end
end

return random_state
