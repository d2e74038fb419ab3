--- Dtype policies by name and in files.
-- @module cusp.dtype_policies
local DTypePolicy = require "cusp.base.dtype_policy"
local Object = require "cusp.base.class"
local registry = require "cusp.base.registry"

local dtype_policies = {DTypePolicy = DTypePolicy, FloatDTypePolicy = DTypePolicy}

--- A policy from its name, its serialised form or itself; the global one from nil.
-- @treturn DTypePolicy
-- @raise for a name that is no dtype
function dtype_policies.get(identifier)
  if Object.is_instance(identifier, DTypePolicy) then return identifier end
  return DTypePolicy{name = DTypePolicy.parts(identifier).name}
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
