--- Beam search: keeps the `num_beams` texts of the highest probability so far.
-- @classmod cusp.samplers.BeamSampler
-- @tparam[opt=5] integer num_beams
-- @tparam[opt=false] boolean return_all_beams return all beams `[batch, num_beams, length]`, the
-- likeliest first, and the logarithms of their probabilities
local Sampler = require "cusp.samplers.sampler"
local ops = require "cusp.ops"
local structure = require "cusp.base.structure"

local BeamSampler = Sampler:extend("BeamSampler", {
  config = {{"num_beams", "integer", min = 1, default = 5},
    {"return_all_beams", "boolean", default = false}},
})

--- Each row of a tensor, or of those in a structure, `count` times.
local function repeated(value, count)
  return structure.map(value, function(x) return ops["repeat"](x, count, 1) end)
end

function BeamSampler:start(_, state)
  state.hidden_states = nil
  local beams, batch = self.num_beams, state.prompt.shape[1]
  state.prompt, state.mask = repeated(state.prompt, beams), repeated(state.mask, beams)
  state.cache = state.cache and repeated(state.cache, beams)
  -- at first the beams of a text are equal: only one of them counts
  local first = ops.equal(ops.arange(beams), 0)
  state.log_probs = ops.tile(ops.where(first, 0.0, -1e9), {batch})
  return state
end

--- The likeliest continuations: their log-probabilities, rows to go on from and tokens, flat.
local function best(self, logits, log_probs)
  local vocabulary, beams = logits.shape[2], self.num_beams
  local batch = logits.shape[1] // beams
  local candidates = ops.add(ops.log(self:compute_probabilities(logits)),
    ops.expand_dims(log_probs, -1))
  local values, indices = ops.top_k(ops.reshape(candidates, {batch, beams * vocabulary}), beams)
  local rows = ops.add(ops.floor_divide(indices, vocabulary),
    ops.multiply(ops.expand_dims(ops.arange(batch), -1), beams))
  return ops.reshape(values, {-1}), ops.reshape(rows, {-1}),
    ops.reshape(ops.mod(indices, vocabulary), {-1})
end

function BeamSampler:step(next_logits, state, stops)
  local logits, _, cache = next_logits(state.prompt, state.cache, state.index)
  local log_probs, rows, tokens = best(self, logits, state.log_probs)
  local function gather(x) return ops.take(x, rows, 1) end
  local prompt = Sampler.write(gather(state.prompt), state.mask, state.index, tokens)
  local index, stopped = ops.add(state.index, 1), nil
  if stops then stopped = Sampler.all_stopped(prompt, state.mask, index, stops) end
  return {prompt = prompt, cache = cache and structure.map(cache, gather), index = index,
    mask = state.mask, log_probs = log_probs, stopped = stopped}
end

function BeamSampler:finish(state)
  local beams = self.num_beams
  local batch = state.prompt.shape[1] // beams
  local prompts = ops.reshape(state.prompt, {batch, beams, state.prompt.shape[2]})
  local log_probs = ops.reshape(state.log_probs, {batch, beams})
  local order = ops.argsort(ops.negative(log_probs), -1)
  prompts = ops.take_along_axis(prompts, ops.expand_dims(order, -1), 2)
  if not self.return_all_beams then return ops.squeeze(prompts:slice{{}, {1, 1}}, 2) end
  return {prompts, ops.take_along_axis(log_probs, order, 2)}
end

return BeamSampler
