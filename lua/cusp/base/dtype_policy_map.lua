--- Dtype policies by the paths of layers: one policy for a layer that has others in it.
-- @classmod cusp.dtype_policies.DTypePolicyMap
-- @param[opt] default_policy of layers that no key matches; by default the global one
-- @tparam[opt] table policy_map path, or Lua pattern of paths → policy
-- @usage
-- local map = cusp.dtype_policies.DTypePolicyMap("float32")
-- map:set("encoder/dense", "int8_from_float32")
local DTypePolicy = require "cusp.base.dtype_policy"
local Object = require "cusp.base.class"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local null = require "cusp.base.null"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

local DTypePolicyMap = DTypePolicy:extend("DTypePolicyMap", {
  __module = "keras.dtype_policies",
  config = {{"default_policy", "any", optional = true}, {"policy_map", "any", optional = true}},
})

local function policy_of(value) return require("cusp.base.dtype_policies").get(value) end

function DTypePolicyMap:init(args)
  Object.configure(self, args, DTypePolicyMap)
  if Object.is_instance(self.default_policy, DTypePolicyMap) then
    errors.raise "DTypePolicyMap: default_policy cannot be a DTypePolicyMap"
  end
  local given = self.policy_map
  if given ~= nil and not kinds.is_plain(given) then
    errors.raise("DTypePolicyMap: argument 'policy_map' should be a table of policies by path, "
      .. "got %s", errors.describe(given))
  end
  self.__own.policies, self.__own.paths, self.policy_map = {}, {}, nil
  for _, path in ipairs(ordered.keys(given or {})) do self:set(path, given[path]) end
  self.name = "map_" .. policy_of(self.default_policy).name
end

--- The policy of the layers that no key matches.
-- @field default
function DTypePolicyMap.__getters.default(self) return policy_of(self.default_policy) end

for _, name in ipairs{"compute_dtype", "variable_dtype", "quantization_mode"} do
  DTypePolicyMap.__getters[name] = function(self) return self.default[name] end
end

--- Sets the policy of a path.
-- @tparam string path
-- @param policy
-- @raise where it has one
function DTypePolicyMap:set(path, policy)
  local own = self.__own
  if own.policies[path] then
    errors.raise("DTypePolicyMap: the path %q has a policy already: %s", path,
      tostring(own.policies[path]))
  end
  own.policies[path] = policy_of(policy)
  own.paths[#own.paths + 1] = path
end

-- Keras's keys are regular expressions, of which ".*" and "." mean the same here.
local function matches(key, path)
  local pattern = key:gsub("[%-%%%+%?%[%]%(%)%^%$]", "%%%0")
  return path:match("^" .. pattern .. "$") ~= nil
end

--- The policy of a path: of the path itself, else of the one key that it matches, else the default.
-- @tparam string path
-- @treturn DTypePolicy
-- @raise where several keys match
function DTypePolicyMap:get(path)
  local own = self.__own
  if own.policies[path] then return own.policies[path] end
  local found
  for _, key in ipairs(own.paths) do
    if matches(key, path) then
      if found then
        errors.raise("DTypePolicyMap: the path %q matches several keys: %q and %q", path, found,
          key)
      end
      found = key
    end
  end
  return found and own.policies[found] or self.default
end

--- Goes through the paths and their policies, in the order in which they got them.
-- @usage for path, policy in map:items() do print(path, policy) end
function DTypePolicyMap:items()
  local own, i = self.__own, 0
  return function()
    i = i + 1
    return own.paths[i], own.policies[own.paths[i]]
  end
end

--- The paths that have a policy, in the order in which they got it.
-- @treturn {string,...}
function DTypePolicyMap:keys() return table.move(self.__own.paths, 1, #self.__own.paths, 1, {}) end

--- How many paths have a policy.
function DTypePolicyMap:__len() return #self.__own.paths end

--- What a layer keeps of it until it knows its path.
-- @local
function DTypePolicyMap:to_parts()
  local parts = DTypePolicy.parts(self.default)
  return setmetatable({map = self, name = self.name}, {__index = parts})
end

function DTypePolicyMap:get_config()
  local map = ordered.object({}, self:keys())
  for path, policy in pairs(self.__own.policies) do map[path] = registry.serialize(policy) end
  local default = self.default_policy
  if Object.is_instance(default) then default = registry.serialize(default) end
  return ordered.object({default_policy = default or null, policy_map = map},
    {"default_policy", "policy_map"})
end

function DTypePolicyMap.__eq(a, b) return rawequal(a, b) end

return DTypePolicyMap
