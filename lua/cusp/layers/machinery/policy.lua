--- Dtype policies: which dtype a layer's variables have and which it computes in.
-- @module cusp.layers.machinery.policy

local DTypePolicy = require "cusp.base.dtype_policy"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

local policy = {}

--- A policy from a dtype's or policy's name, a policy, Keras's serialised form of one, or the
-- global one from nil.
-- @function get
-- @treturn table `name`, `compute` and `variable`
-- @raise for a name that is no dtype
policy.get = DTypePolicy.parts

--- The policy of a layer that was given policies by path.
-- @tparam table of what the layer keeps of them
-- @tparam string path
-- @treturn table
function policy.at(of, path)
  local own = DTypePolicy.parts(of.map:get(path))
  return setmetatable({map = of.map}, {__index = own})
end

--- Gives a layer that was given policies by path its own; and what a policy says of how weights
-- are rounded, where the layer was not told.
-- @tparam table layer
function policy.settle(layer)
  local own = layer.__own
  if own.policy.map then own.policy = policy.at(own.policy, own.path) end
  if own.policy.config and not layer.quantization_config then
    layer.quantization_config = own.policy.config
  end
end

--- The serialised form.
function policy.serialize(of)
  if of.map then return registry.serialize(of.map) end
  if of.mode then
    return registry.serialize(require("cusp.base.quantized_policies").of_parts(of, of.config))
  end
  return ordered.object({
    module = "keras", class_name = "DTypePolicy",
    config = ordered.object({name = of.name}, {"name"}), registered_name = null,
  }, {"module", "class_name", "config", "registered_name"})
end

--- Whether a dtype is a floating-point one.
function policy.is_float(dtype) return dtype:find("float", 1, true) ~= nil end

return policy
