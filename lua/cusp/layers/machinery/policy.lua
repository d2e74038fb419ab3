--- Dtype policies: which dtype a layer's variables have and which it computes in.
-- @module cusp.layers.machinery.policy

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"

local policy = {}

local mixed = {
  mixed_float16 = {name = "mixed_float16", compute = "float16", variable = "float32"},
  mixed_bfloat16 = {name = "mixed_bfloat16", compute = "bfloat16", variable = "float32"},
}

--- A policy from a dtype's or policy's name, from Keras's serialised form of one, or the default
-- from nil.
-- @treturn table `name`, `compute` and `variable`
-- @raise for a name that is no dtype
function policy.get(value)
  if kinds.is_plain(value) and kinds.is_plain(value.config) then value = value.config.name end
  if value == nil or value == null then value = engine.get_floatx() end
  value = kinds.dtype(value)
  if mixed[value] then return mixed[value] end
  if not kinds.dtypes[value] then
    errors.raise("dtype should be a name such as \"float32\" or \"mixed_bfloat16\", got %s",
      errors.describe(value))
  end
  return {name = value, compute = value, variable = value}
end

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
