--- Samplers: how the next token of a text is chosen. Names and arguments are those of
-- `keras_hub.samplers`.
-- @module cusp.samplers
-- @usage local sampler = cusp.samplers.TopKSampler{k = 5, temperature = 0.7, seed = 1}
local namespace = require "cusp.base.namespace"

local space = namespace.new("cusp.samplers", {
  Sampler = "sampler",
  GreedySampler = {"draws", "GreedySampler"}, RandomSampler = {"draws", "RandomSampler"},
  TopKSampler = {"draws", "TopKSampler"}, TopPSampler = {"draws", "TopPSampler"},
  BeamSampler = "beam_sampler", ContrastiveSampler = "contrastive_sampler",
})

return namespace.of_objects(space, {
  what = "sampler", module = "keras_hub.samplers",
  aliases = {greedy = "GreedySampler", random = "RandomSampler", top_k = "TopKSampler",
    top_p = "TopPSampler", beam = "BeamSampler", contrastive = "ContrastiveSampler"},
})
