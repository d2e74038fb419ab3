--- Samplers on a table of logits for each token after each other.
local cusp = require "cusp"
local ops, samplers = cusp.ops, cusp.samplers

local vocabulary = 5
local follows = cusp.random.normal({vocabulary, vocabulary}, {seed = 5}) * 2
local log_probs = ops.log_softmax(follows, -1):tolist()

local function next_logits(prompt, cache, index)
  local logits = ops.take(follows, ops.take(prompt, index - 1, 2), 1)
  return logits, logits, cache
end

local function prompt_of(...) return cusp.tensor({...}, {dtype = "int32"}) end

local function likeliest(token)
  local best = 1
  for i, value in ipairs(log_probs[token + 1]) do
    if value > log_probs[token + 1][best] then best = i end
  end
  return best - 1
end

--- The likeliest text of a length after a first token, by trying all.
local function exhaustive(first, length)
  local best, best_score
  local function try(text, score)
    if #text == length then
      if not best_score or score > best_score then
        best, best_score = {table.unpack(text)}, score
      end
      return
    end
    for token = 0, vocabulary - 1 do
      local more = log_probs[text[#text] + 1][token + 1]
      text[#text + 1] = token
      try(text, score + more)
      text[#text] = nil
    end
  end
  try({first}, 0)
  return best, best_score
end

--- How often each token follows token 1, in 600 texts.
local function counts(sampler)
  local found = {}
  local rows = ops.tile(prompt_of{1, 0}, {600, 1})
  for _, row in ipairs(sampler(next_logits, rows, {index = 1}):tolist()) do
    found[row[2]] = (found[row[2]] or 0) + 1
  end
  return found
end

--- Tokens after token 1, the likeliest first.
local function ranked()
  local tokens = {0, 1, 2, 3, 4}
  table.sort(tokens, function(a, b) return log_probs[2][a + 1] > log_probs[2][b + 1] end)
  return tokens
end

describe("GreedySampler", function()
  it("takes the likeliest token after each other", function()
    local expected = {1}
    for i = 2, 6 do expected[i] = likeliest(expected[i - 1]) end
    assert.same({expected}, samplers.GreedySampler()(next_logits, prompt_of{1, 0, 0, 0, 0, 0},
      {index = 1}):tolist())
  end)

  it("keeps what the mask says, and stops when all texts have a token that stops", function()
    local last = likeliest(likeliest(3))
    local prompt = prompt_of({1, 3, 9, 9, 9, 9}, {1, 3, 9, 9, 9, 9})
    local mask = cusp.tensor{{true, true, false, false, false, false},
      {true, true, false, false, false, false}}
    local found = samplers.GreedySampler()(next_logits, prompt,
      {index = 1, mask = mask, stop_token_ids = {last}}):tolist()
    local expected = {1, 3, likeliest(3), last, 9, 9}
    assert.same({expected, expected}, found)
  end)

  it("has no use for the hidden states that another sampler reads", function()
    local prompt = prompt_of{1, 0, 0, 0, 0, 0}
    for _, name in ipairs{"GreedySampler", "BeamSampler"} do
      local sampler = samplers[name]()
      assert.same(sampler(next_logits, prompt, {index = 1}):tolist(),
        sampler(next_logits, prompt, {index = 1, hidden_states = cusp.ones{1, 6, 2}}):tolist())
    end
  end)

  it("hands the cache on", function()
    local function counting(prompt, cache, index)
      return (next_logits(prompt, cache, index)), nil, {cache[1] + 1}
    end
    local Watched = samplers.GreedySampler:extend("Watched", {
      finish = function(_, state) return {state.prompt, state.cache[1]} end,
    })
    local found = Watched()(counting, prompt_of{1, 0, 0, 0},
      {index = 1, cache = {cusp.tensor(0)}})[2]
    assert.equal(3, found:item())
  end)
end)

describe("A sampler that draws", function()
  it("draws by probability", function()
    local found = counts(samplers.RandomSampler{seed = 2})
    for token = 0, vocabulary - 1 do
      local share = math.exp(log_probs[2][token + 1])
      local spread = math.sqrt(share * (1 - share) / 600)
      assert.is_true(math.abs((found[token] or 0) / 600 - share) < 4 * spread + 1e-3)
    end
  end)

  it("draws among the k likeliest", function()
    local found, order = counts(samplers.TopKSampler{k = 2, seed = 2}), ranked()
    assert.equal(600, found[order[1]] + found[order[2]])
  end)

  it("draws among the likeliest that together exceed p", function()
    local order = ranked()
    local first, second = math.exp(log_probs[2][order[1] + 1]), math.exp(log_probs[2][order[2] + 1])
    local found = counts(samplers.TopPSampler{p = first + second / 2, seed = 2})
    assert.equal(600, found[order[1]] + found[order[2]])
    assert.is_true(found[order[2]] > 0)
    assert.equal(600, counts(samplers.TopPSampler{p = 0, seed = 2})[order[1]])
    assert.equal(600, counts(samplers.TopPSampler{p = 1, k = 1, seed = 2})[order[1]])
  end)

  it("becomes greedy at a low temperature", function()
    assert.equal(600, counts(samplers.RandomSampler{temperature = 1e-3, seed = 2})[likeliest(1)])
  end)

  it("repeats what a seed gave, and goes on from there", function()
    local prompt = prompt_of{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    local function draw(sampler) return sampler(next_logits, prompt, {index = 1}):tolist() end
    local one, other = samplers.TopKSampler{k = 4, seed = 9}, samplers.TopKSampler{k = 4, seed = 9}
    local first, second = draw(one), draw(one)
    assert.same(first, draw(other))
    assert.same(second, draw(other))
    assert.not_same(first, second)
  end)

  it("may be a class of one's own", function()
    local Last = samplers.Sampler:extend("Last", {
      get_next_token = function(_, probabilities)
        return ops.full({probabilities.shape[1]}, vocabulary - 1)
      end,
    })
    assert.same({{1, 4, 4}}, Last()(next_logits, prompt_of{1, 0, 0}, {index = 1}):tolist())
  end)
end)

describe("BeamSampler", function()
  it("finds the likeliest text where it has beams for all", function()
    local sampler = samplers.BeamSampler{num_beams = 25, return_all_beams = true}
    local found = sampler(next_logits, prompt_of({1, 0, 0, 0}, {3, 0, 0, 0}), {index = 1})
    for row, first in ipairs{1, 3} do
      local text, score = exhaustive(first, 4)
      assert.same(text, found[1]:tolist()[row][1])
      assert.is_true(math.abs(score - found[2]:item(row, 1)) < 1e-5)
    end
    local best = samplers.BeamSampler{num_beams = 25}(next_logits, prompt_of{1, 0, 0, 0},
      {index = 1})
    assert.same({(exhaustive(1, 4))}, best:tolist())
  end)

  it("is greedy with one beam", function()
    local prompt = prompt_of{2, 0, 0, 0, 0}
    assert.same(samplers.GreedySampler()(next_logits, prompt, {index = 1}):tolist(),
      samplers.BeamSampler{num_beams = 1}(next_logits, prompt, {index = 1}):tolist())
  end)

  it("takes each beam's cache along", function()
    local function remembering(prompt, cache, index)
      local logits = (next_logits(prompt, nil, index))
      local last = ops.take(prompt, index - 1, 2)
      return logits, nil, ops.add(ops.multiply(cache, 10), ops.cast(last, "int32"))
    end
    local Watched = samplers.BeamSampler:extend("Watched", {
      finish = function(_, state) return {state.prompt, state.cache} end,
    })
    local found = Watched{num_beams = 3}(remembering, prompt_of{1, 0, 0, 0},
      {index = 1, cache = cusp.zeros({1}, "int32")})
    local caches = found[2]:tolist()
    for i, text in ipairs(found[1]:tolist()) do
      assert.equal(100 * text[1] + 10 * text[2] + text[3], caches[i])
    end
  end)
end)

describe("ContrastiveSampler", function()
  local states = cusp.random.normal({vocabulary, 6}, {seed = 8})

  local function next_state(prompt, cache, index)
    local last = ops.take(prompt, index - 1, 2)
    return ops.take(follows, last, 1), ops.take(states, last, 1), cache
  end

  it("is greedy where likeness does not count", function()
    local prompt = prompt_of{1, 0, 0, 0}
    local hidden = ops.take(states, prompt, 1)
    assert.same(samplers.GreedySampler()(next_logits, prompt, {index = 1}):tolist(),
      samplers.ContrastiveSampler{alpha = 0}(next_state, prompt,
        {index = 1, hidden_states = hidden}):tolist())
  end)

  it("weighs probability against likeness to what was written", function()
    local list, text = states:tolist(), {1}
    local function cosine(a, b)
      local ab, aa, bb = 0, 0, 0
      for i = 1, 6 do ab, aa, bb = ab + a[i] * b[i], aa + a[i] ^ 2, bb + b[i] ^ 2 end
      return ab / math.sqrt(aa * bb)
    end
    for _ = 1, 4 do
      local best, best_score
      for token = 0, vocabulary - 1 do
        local near = -1
        for _, earlier in ipairs(text) do
          near = math.max(near, cosine(list[earlier + 1], list[token + 1]))
        end
        local score = 0.4 * math.exp(log_probs[text[#text] + 1][token + 1]) - 0.6 * near
        if not best_score or score > best_score then best, best_score = token, score end
      end
      text[#text + 1] = best
    end
    local prompt = prompt_of{1, 0, 0, 0, 0}
    local found = samplers.ContrastiveSampler{k = vocabulary}(next_state, prompt,
      {index = 1, hidden_states = ops.take(states, prompt, 1)})
    assert.same({text}, found:tolist())
  end)
end)

describe("samplers", function()
  it("are found by name and kept in configurations", function()
    for name, class in pairs{greedy = "GreedySampler", top_k = "TopKSampler", top_p = "TopPSampler",
      random = "RandomSampler", beam = "BeamSampler", contrastive = "ContrastiveSampler"} do
      local sampler = samplers.get(name)
      assert.equal(samplers[class], getmetatable(sampler))
      local again = samplers.deserialize(samplers.serialize(sampler))
      assert.same(sampler:get_config(), again:get_config())
    end
    assert.same({k = 3, seed = 1, temperature = 0.5}, (function(config)
      return {k = config.k, seed = config.seed, temperature = config.temperature}
    end)(samplers.TopKSampler{k = 3, seed = 1, temperature = 0.5}:get_config()))
  end)

  it("refuse what they cannot do", function()
    local prompt = prompt_of{1, 0, 0}
    local function refuses(message, f, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() f(table.unpack(arguments, 1, arguments.n)) end, message)
    end
    refuses("TopKSampler: temperature should be more than 0, got 0", samplers.TopKSampler,
      {temperature = 0})
    refuses("TopKSampler: 9 tokens are asked for, but the logits have 5", samplers.TopKSampler(9),
      next_logits, prompt, {index = 1})
    refuses("GreedySampler: prompt should have shape %[batch, length%]", samplers.GreedySampler(),
      next_logits, cusp.zeros{3}, {index = 1})
    refuses("GreedySampler: index should be from 0 to the prompt's length 3, got 4",
      samplers.GreedySampler(), next_logits, prompt, {index = 4})
    refuses("ContrastiveSampler: hidden_states should have shape", samplers.ContrastiveSampler(),
      next_logits, prompt, {index = 1})
    refuses("Bare: a sampler needs get_next_token", samplers.Sampler:extend("Bare")(), next_logits,
      prompt, {index = 1})
  end)
end)
