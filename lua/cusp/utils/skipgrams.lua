--- Pairs of words that stand near each other, and pairs that do not.
-- @module cusp.utils.skipgrams
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local random = require "cusp.tensors.random"
local random_state = require "cusp.utils.random_state"

local skipgrams = {}

local bind = arguments.named_binder("skipgrams", {
  {"sequence", "any"}, {"vocabulary_size", "integer", min = 1},
  {"window_size", "integer", default = 4, min = 0},
  {"negative_samples", "number", default = 1, min = 0}, {"shuffle", "boolean", default = true},
  {"categorical", "boolean", default = false}, {"sampling_table", "any", optional = true},
  {"seed", "integer", optional = true},
}, false)

-- Random numbers from a seed that `cusp.random.set_seed` settles.
local function chance()
  local below = require("cusp.data.machinery.seeds").sequence(random.make_seed())
  return function() return below(1 << 53) / (1 << 53) end, below
end

local function numbers(name, value)
  if engine.is_tensor(value) and value.ndim == 1 then value = value:tolist() end
  if type(value) ~= "table" then
    errors.raise("skipgrams: %s should be a list of numbers, got %s", name, errors.describe(value))
  end
  return value
end

local function check_words(words, size)
  for i, word in ipairs(words) do
    if not math.tointeger(word) or word < 0 or word >= size then
      errors.raise("skipgrams: word %d of the sequence should be an integer from 0 to %d, got %s",
        i, size - 1, errors.describe(word))
    end
  end
end

-- Whether a word is passed over by chance, frequent ones more often.
local function is_left_out(table_of_shares, word, uniform)
  if not table_of_shares then return false end
  local share = table_of_shares[word + 1]
  if type(share) ~= "number" then
    errors.raise("skipgrams: sampling_table has no number for word %d", word)
  end
  return share < uniform()
end

local function positive(words, window, shares, uniform)
  local couples = {}
  for i, word in ipairs(words) do
    if word ~= 0 and not is_left_out(shares, word, uniform) then
      for j = math.max(1, i - window), math.min(#words, i + window) do
        if j ~= i and words[j] ~= 0 then couples[#couples + 1] = {word, words[j]} end
      end
    end
  end
  return couples
end

-- Appends pairs of the couples' first words with words by chance.
local function add_negative(couples, count, size, below)
  local first = {}
  for i, couple in ipairs(couples) do first[i] = couple[1] end
  for i = #first, 2, -1 do
    local j = below(i) + 1
    first[i], first[j] = first[j], first[i]
  end
  for i = 0, count - 1 do
    couples[#couples + 1] = {first[i % #first + 1], 1 + below(math.max(1, size - 1))}
  end
end

--- Pairs of words from a sentence for learning what they have in common, as Keras 2 makes them:
-- those within a window of each other with label 1, and pairs with a word by chance with label 0.
-- Word 0 is none, and is passed over.
-- @tparam {integer,...} sequence words from 1 below `vocabulary_size`
-- @tparam integer vocabulary_size one more than the largest word
-- @tparam[opt=4] integer window_size how far words may be apart
-- @tparam[opt=1] number negative_samples pairs with label 0 for each with label 1
-- @tparam[opt=true] boolean shuffle
-- @tparam[opt=false] boolean categorical whether labels are `{0, 1}` and `{1, 0}`
-- @tparam[opt] {number,...} sampling_table how likely each word, from 0, is used
-- @tparam[opt] integer seed of the order, which is then Keras's
-- @treturn {{integer,integer},...} the pairs
-- @treturn table their labels
function skipgrams.skipgrams(...)
  local given = bind(...)
  local words, size = numbers("sequence", given.sequence), given.vocabulary_size
  local shares = given.sampling_table and numbers("sampling_table", given.sampling_table)
  check_words(words, size)
  local uniform, below = chance()
  local couples = positive(words, given.window_size, shares, uniform)
  local positives = #couples
  if positives > 0 then
    add_negative(couples, positives * given.negative_samples // 1 | 0, size, below)
  end
  local labels = {}
  for i = 1, #couples do
    local near = i <= positives
    labels[i] = near and 1 or 0
    if given.categorical then labels[i] = near and {0, 1} or {1, 0} end
  end
  if given.shuffle then
    local seed = given.seed or below(10000000)
    random_state.shuffle_as_python(seed, couples)
    random_state.shuffle_as_python(seed, labels)
  end
  return couples, labels
end

return skipgrams
