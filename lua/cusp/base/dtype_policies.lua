--- Dtype policies by name and in files.
-- @module cusp.dtype_policies
local DTypePolicy = require "cusp.base.dtype_policy"
local DTypePolicyMap = require "cusp.base.dtype_policy_map"
local Object = require "cusp.base.class"
local kinds = require "cusp.base.kinds"
local quantized = require "cusp.base.quantized_policies"
local registry = require "cusp.base.registry"

local dtype_policies = {
  DTypePolicy = DTypePolicy, FloatDTypePolicy = DTypePolicy, DTypePolicyMap = DTypePolicyMap,
  QuantizedDTypePolicy = quantized.QuantizedDTypePolicy,
  QuantizedFloat8DTypePolicy = quantized.QuantizedFloat8DTypePolicy,
  Int4DTypePolicy = quantized.Int4DTypePolicy,
}

--- A policy from its name, its serialised form or itself; the global one from nil.
-- @treturn DTypePolicy
-- @raise for a name that is no dtype
function dtype_policies.get(identifier)
  if Object.is_instance(identifier, DTypePolicy) then return identifier end
  if kinds.is_plain(identifier) and identifier.class_name then
    identifier = registry.deserialize(identifier)
    if Object.is_instance(identifier, DTypePolicy) then return identifier end
  end
  local parts = DTypePolicy.parts(identifier)
  return parts.mode and quantized.of_parts(parts) or DTypePolicy{name = parts.name}
end

--- The form in which a configuration holds a policy.
-- @tparam DTypePolicy policy
-- @treturn table
function dtype_policies.serialize(policy) return registry.serialize(policy) end

--- A policy from that form.
-- @tparam table config
-- @treturn DTypePolicy
function dtype_policies.deserialize(config) return dtype_policies.get(config) end

return dtype_policies
