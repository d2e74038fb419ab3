--- NumPy's `RandomState(seed).shuffle`, so that a seed divides the files of a directory into
-- training and validation as Keras does, and Python's `random.shuffle`, which Keras takes for
-- skipgrams. The Mersenne Twister of Matsumoto and Nishimura (1998); NumPy draws integers below a
-- bound by masking off the bits above it, Python by shifting them out, both again while too large.
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

-- The state for a key of several words.
local function seeded_by_key(key)
  local words, i = seeded(19650218), 2
  local function mix(factor, added)
    local before = words[i - 1]
    words[i] = ((words[i] ~ (before ~ before >> 30) * factor) + added) & 0xffffffff
    i = i + 1
    if i > N then words[1], i = words[N], 2 end
  end
  for k = 0, math.max(N, #key) - 1 do
    local at = k % #key
    mix(1664525, key[at + 1] + at)
  end
  for _ = 1, N - 1 do mix(1566083941, -(i - 1)) end
  words[1] = 0x80000000
  return words
end

local function generator(words)
  local at = N
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
  local next_word = generator(seeded(seed))
  for i = #list, 2, -1 do
    local j = draw(next_word, i - 1) + 1
    list[i], list[j] = list[j], list[i]
  end
end

-- An integer below a bound of up to 2^32.
local function draw_below(next_word, bound)
  local bits = 0
  while bound >> bits > 0 do bits = bits + 1 end
  while true do
    local value = next_word() >> (32 - bits)
    if value < bound then return value end
  end
end

--- Shuffles a list in place as Python's `random.seed(seed)` and `random.shuffle` do.
-- @tparam integer seed
-- @tparam table list
function random_state.shuffle_as_python(seed, list)
  seed = math.abs(seed)
  local key = {seed & 0xffffffff}
  if seed >> 32 > 0 then key[2] = seed >> 32 end
  local next_word = generator(seeded_by_key(key))
  for i = #list, 2, -1 do
    local j = draw_below(next_word, i) + 1
    list[i], list[j] = list[j], list[i]
  end
end

return random_state
