--- Contrastive search: of the k likeliest tokens the one that is likely, but whose hidden state is
-- unlike those before. Su et al., "A contrastive framework for neural text generation" (2022).
-- Needs the `hidden_states` `[batch, length, size]` of the prompt.
-- @classmod cusp.samplers.ContrastiveSampler
-- @tparam[opt=5] integer k
-- @tparam[opt=0.6] number alpha weight of the likeness
local Sampler = require "cusp.samplers.sampler"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

local ContrastiveSampler = Sampler:extend("ContrastiveSampler", {
  config = {{"k", "integer", min = 1, default = 5}, {"alpha", "number", default = 0.6}},
})

function ContrastiveSampler:start(next_logits, state)
  local hidden, prompt = state.hidden_states, state.prompt.shape
  if not hidden or #hidden.shape ~= 3 or hidden.shape[1] ~= prompt[1]
    or hidden.shape[2] ~= prompt[2] then
    errors.raise("%s: hidden_states should have shape [batch, length, size] = [%d, %d, size], got "
      .. "%s", self.__name, prompt[1], prompt[2], hidden and errors.shape(hidden.shape) or "nil")
  end
  local _
  state.logits, _, state.cache = next_logits(state.prompt, state.cache, state.index)
  return state
end

--- Cosines of each row's hidden states with one more.
local function similarity(states, one)
  local function norm(x) return ops.sqrt(ops.sum(ops.square(x), -1)) end
  local products = ops.sum(ops.multiply(states, ops.expand_dims(one, 2)), -1)
  return ops.divide(products, ops.multiply(norm(states), ops.expand_dims(norm(one), -1)))
end

--- How like the states before each candidate is to the nearest of them.
local function likeness(hidden, candidates, index)
  local before = ops.less(ops.arange(hidden.shape[2]), index)
  return ops.max(ops.where(before, similarity(hidden, candidates), -1.0), 2)
end

function ContrastiveSampler:step(next_logits, state, stops)
  local k, batch = self.k, state.prompt.shape[1]
  local function repeated(x) return ops["repeat"](x, k, 1) end
  local probabilities = self:compute_probabilities(state.logits)
  local likely, tokens = ops.top_k(probabilities, self:at_most(k, probabilities))
  local prompt = Sampler.write(repeated(state.prompt), repeated(state.mask), state.index,
    ops.reshape(tokens, {-1}))
  local index = ops.add(state.index, 1)
  local logits, hidden, cache = next_logits(prompt,
    state.cache and structure.map(state.cache, repeated), index)
  local near = ops.reshape(likeness(repeated(state.hidden_states), hidden, state.index),
    {batch, k})
  local scores = ops.subtract(ops.multiply(likely, 1 - self.alpha), ops.multiply(near, self.alpha))
  local rows = ops.add(ops.argmax(scores, 2), ops.multiply(ops.arange(batch), k))
  local function best(x) return ops.take(x, rows, 1) end
  prompt = best(prompt)
  local zero, stopped = ops.cast(0, "int32"), nil
  if stops then stopped = Sampler.all_stopped(prompt, state.mask, index, stops) end
  return {
    prompt = prompt, mask = state.mask, index = index, logits = best(logits),
    cache = cache and structure.map(cache, best),
    hidden_states = ops.slice_update(state.hidden_states, ops.stack{zero, state.index, zero},
      ops.expand_dims(best(hidden), 2)),
    stopped = stopped,
  }
end

return ContrastiveSampler
