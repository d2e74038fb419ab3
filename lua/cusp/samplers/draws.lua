--- Samplers that look at one position at a time: the likeliest token, or one drawn from all, from
-- the k likeliest, or from the likeliest that together exceed a probability.
-- @module cusp.samplers.draws
local Sampler = require "cusp.samplers.sampler"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

local draws = {}

local seed = {"seed", "integer", optional = true}

--- Draws a column of each row of probabilities: their tokens.
local function draw(self, probabilities, tokens)
  local drawn = random.categorical(ops.log(probabilities), 1, {seed = self:generator()})
  if tokens then drawn = ops.take_along_axis(tokens, drawn, 2) end
  return ops.squeeze(drawn, 2)
end

--- The likeliest token.
draws.GreedySampler = Sampler:extend("GreedySampler", {
  config = {},
  get_next_token = function(_, probabilities) return ops.argmax(probabilities, -1) end,
})

--- Any token, by its probability.
-- @tparam[opt] integer seed
draws.RandomSampler = Sampler:extend("RandomSampler", {
  config = {seed}, draws = true, get_next_token = draw,
})

--- One of the k likeliest tokens. Fan et al., "Hierarchical neural story generation" (2018).
-- @tparam[opt=5] integer k
-- @tparam[opt] integer seed
draws.TopKSampler = Sampler:extend("TopKSampler", {
  config = {{"k", "integer", min = 1, default = 5}, seed}, draws = true,
  get_next_token = function(self, probabilities)
    return draw(self, ops.top_k(probabilities, self:at_most(self.k, probabilities)))
  end,
})

--- One of the likeliest tokens that together exceed the probability p ("nucleus"). Holtzman et al.,
-- "The curious case of neural text degeneration" (2020).
-- @tparam[opt=0.1] number p
-- @tparam[opt] integer k only among so many
-- @tparam[opt] integer seed
draws.TopPSampler = Sampler:extend("TopPSampler", {
  config = {{"p", "number", min = 0, max = 1, default = 0.1},
    {"k", "integer", min = 1, optional = true}, seed}, draws = true,
  get_next_token = function(self, probabilities)
    local count = self:at_most(self.k or probabilities.shape[2], probabilities)
    local likeliest, tokens = ops.top_k(probabilities, count)
    -- the token that exceeds p is the last: what comes before it does not
    local before = ops.subtract(ops.cumsum(likeliest, -1), likeliest)
    local kept = ops.logical_or(ops.less_equal(before, self.p), ops.equal(ops.arange(count), 0))
    return draw(self, ops.where(kept, likeliest, 0.0), tokens)
  end,
})

return draws
