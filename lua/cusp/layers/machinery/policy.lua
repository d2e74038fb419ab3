--- Dtype policies: which dtype a layer's variables have and which it computes in.
-- @module cusp.layers.machinery.policy

local DTypePolicy = require "cusp.base.dtype_policy"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"

local policy = {}

--- A policy from a dtype's or policy's name, a policy, Keras's serialised form of one, or the
-- global one from nil.
-- @function get
-- @treturn table `name`, `compute` and `variable`
-- @raise for a name that is no dtype
policy.get = DTypePolicy.parts

--- The serialised form.
function policy.serialize(of)
  return ordered.object({
    module = "keras", class_name = "DTypePolicy",
    config = ordered.object({name = of.name}, {"name"}), registered_name = null,
  }, {"module", "class_name", "config", "registered_name"})
end

--- Whether a dtype is a floating-point one.
function policy.is_float(dtype) return dtype:find("float", 1, true) ~= nil end

return policy
