--- The base of samplers. Your own class defines `get_next_token(self, probabilities)`.
--
--     local text = sampler(next_logits, prompt, {cache = cache, index = length})
--
-- `prompt` is a tensor of token ids `[batch, length]`, which the sampler fills from position
-- `index` (from 0) to its end. `next_logits(prompt, cache, index)` returns the logits `[batch,
-- vocabulary]` of position `index`, the hidden states of the position before, and the cache after
-- it. It is traced once, as in `cusp.compile`, and the loop runs as one plan; `index` is a scalar
-- tensor.
-- @classmod cusp.samplers.Sampler
-- @tparam[opt=1] number temperature divides the logits
local Object = require "cusp.base.class"
local arguments = require "cusp.base.arguments"
local compile = require "cusp.tensors.compile"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

local Sampler = Object:extend("Sampler", {config = {{"temperature", "number", default = 1.0}}})
Sampler.__module = "keras_hub.samplers"

function Sampler:init(args)
  self:configure(args, Sampler)
  if self.temperature <= 0 then
    errors.raise("%s: temperature should be more than 0, got %s", self.__name, self.temperature)
  end
end

local bind = arguments.named_binder("sampler", "next: any, prompt, cache: any = nil, "
  .. "index: int = 0, mask?, stop_token_ids: ints = nil, hidden_states?")

---------------------------------------------------------------- the loop

local function first_state(self, given)
  local prompt, index, mask = given.prompt, given.index, given.mask
  if #prompt.shape ~= 2 then
    errors.raise("%s: prompt should have shape [batch, length], got %s", self.__name,
      errors.shape(prompt.shape))
  end
  if index < 0 or index > prompt.shape[2] then
    errors.raise("%s: index should be from 0 to the prompt's length %d, got %d", self.__name,
      prompt.shape[2], index)
  end
  return {
    prompt = prompt, cache = given.cache, index = ops.cast(index, "int32"),
    mask = mask and ops.cast(mask, "bool") or ops.zeros(prompt.shape, "bool"),
    hidden_states = given.hidden_states,
  }
end

--- The whole text in one loop.
local function generate(self, next_logits, state, stops)
  if stops then state.stopped = ops.zeros({}, "bool") end
  state = self:start(next_logits, state)
  local length = state.prompt.shape[2]
  local function goes_on(now)
    local more = ops.less(now.index, length)
    return stops and ops.logical_and(more, ops.logical_not(now.stopped)) or more
  end
  local function step(now) return {self:step(next_logits, now, stops)} end
  return self:finish((ops.while_loop(goes_on, step, {state})))
end

--- The loop as a plan; one for each function that gives logits.
local function compiled(self, next_logits)
  local own = self.__own
  own.loops = own.loops or setmetatable({}, {__mode = "k"})
  local loop = own.loops[next_logits]
  if not loop then
    loop = compile(function(state, stops) return generate(self, next_logits, state, stops) end)
    own.loops[next_logits] = loop
  end
  return loop
end

--- Fills the prompt.
-- @tparam function next of the logits, hidden states and cache
-- @tparam tensor prompt
-- @tparam[opt] any cache a tensor, or a structure of tensors
-- @tparam[opt=0] integer index the first position to fill
-- @tparam[opt] tensor mask like the prompt: tokens that stay as they are
-- @tparam[opt] {integer,...} stop_token_ids all rows having one ends the loop early
-- @tparam[opt] tensor hidden_states of the prompt, for ContrastiveSampler
-- @treturn tensor like the prompt
function Sampler:__call(...)
  local given = bind(...)
  local next_logits, prompt = given.next, given.prompt
  local state = first_state(self, given)
  local stops = given.stop_token_ids
    and engine.tensor(given.stop_token_ids, {dtype = prompt.dtype}) or nil
  if self.draws then self:generator() end
  return compiled(self, next_logits)(state, stops)
end

--- The state before the first step.
function Sampler:start(_, state)
  state.hidden_states = nil
  state.finished = ops.zeros({state.prompt.shape[1]}, "bool")
  return state
end

--- The column of a matrix at the position of the step.
function Sampler.at(x, index) return ops.take(x, index, 2) end

--- The prompt with a column of tokens written, but for those that the mask keeps.
function Sampler.write(prompt, mask, index, tokens)
  tokens = ops.where(Sampler.at(mask, index), Sampler.at(prompt, index),
    ops.cast(tokens, prompt.dtype))
  local start = ops.stack{ops.cast(0, "int32"), index}
  return ops.slice_update(prompt, start, ops.expand_dims(tokens, 2)), tokens
end

--- Whether each token is among those that stop.
function Sampler.is_stop(tokens, stops)
  return ops.any(ops.equal(ops.expand_dims(tokens, -1), stops), -1)
end

--- Whether each text has a token that stops among those written before the index.
function Sampler.all_stopped(prompt, mask, index, stops)
  local written = ops.logical_and(ops.logical_not(mask),
    ops.less(ops.arange(prompt.shape[2]), index))
  return ops.all(ops.any(ops.logical_and(Sampler.is_stop(prompt, stops), written), -1))
end

--- The state after one more token.
function Sampler:step(next_logits, state, stops)
  local logits, _, cache = next_logits(state.prompt, state.cache, state.index)
  local tokens = self:get_next_token(self:compute_probabilities(logits))
  local prompt, written = Sampler.write(state.prompt, state.mask, state.index, tokens)
  local finished, stopped = state.finished, nil
  if stops then
    local given = ops.sum(ops.cast(state.mask, "int32"), 2)
    local stop = ops.logical_and(ops.greater_equal(state.index, given),
      Sampler.is_stop(written, stops))
    finished = ops.logical_or(finished, stop)
    stopped = ops.all(finished)
  end
  return {prompt = prompt, cache = cache, index = ops.add(state.index, 1), mask = state.mask,
    finished = finished, stopped = stopped}
end

function Sampler.finish(_, state) return state.prompt end

---------------------------------------------------------------- one token

--- The probabilities of the next token, in float32.
-- @tparam tensor logits
-- @treturn tensor
function Sampler:compute_probabilities(logits)
  return ops.softmax(ops.divide(ops.cast(logits, "float32"), self.temperature), -1)
end

--- The tokens `[batch]` that follow; override it in your own class.
function Sampler:get_next_token()
  errors.raise("%s: a sampler needs get_next_token(self, probabilities)", self.__name)
end

--- The generator of the sampler's seed.
function Sampler:generator()
  if not self.seed_generator then self.seed_generator = random.SeedGenerator{self.seed} end
  return self.seed_generator
end

--- How many tokens there are to choose from; raises where a sampler asks for more.
function Sampler:at_most(count, probabilities)
  local vocabulary = probabilities.shape[2]
  if count > vocabulary then
    errors.raise("%s: %d tokens are asked for, but the logits have %d", self.__name, count,
      vocabulary)
  end
  return count
end

return Sampler
