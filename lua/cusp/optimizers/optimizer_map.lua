--- Which optimizer updates which variable, by the paths of variables.
-- A key is a path, or a pattern of whole paths as Keras writes it: `encoder/.*`. Keys are set by
-- `map["encoder/.*"] = optimizer`.
-- @classmod cusp.optimizers.OptimizerMap
-- @tparam Optimizer default_optimizer for what no key matches
-- @tparam[opt] table optimizer_map optimizers by key
-- @usage
-- local map = optimizers.OptimizerMap{optimizers.SGD(0.01)}
-- map["encoder/.*"] = optimizers.Adam()
local Object = require "cusp.base.class"
local Optimizer = require "cusp.optimizers.optimizer"
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"

local OptimizerMap = Object:extend("OptimizerMap", {
  __module = "keras.optimizers",
  config = {{"default_optimizer", "optimizer"}, {"optimizer_map", "any", optional = true}},
})

local translated = {["-"] = "%-", ["%"] = "%%"}
local classes = {d = "%d", D = "%D", w = "[%w_]", s = "%s", S = "%S"}

-- Keras's patterns are regular expressions; those without groups are Lua's but for a few signs.
local function pattern_of(key)
  if key:find "[|(){}]" then
    errors.raise("OptimizerMap: the key %q has groups, alternatives or counts, which patterns here "
      .. "do not have; set several keys", key)
  end
  local text = key:gsub("\\?.", function(sign)
    local escaped = sign:match "^\\(.)$"
    if not escaped then return translated[sign] end
    return classes[escaped] or (escaped:find "%p" and "%" .. escaped or escaped)
  end)
  return "^" .. text .. "$"
end

local function check_entry(self, key, optimizer)
  if type(key) ~= "string" then
    errors.raise("OptimizerMap: a key should be a path or a pattern of paths, got %s",
      errors.describe(key))
  end
  if self.__own.optimizers[key] then
    errors.raise("OptimizerMap: there is an optimizer for %q already", key)
  end
  if not Object.is_instance(optimizer, Optimizer) then
    errors.raise("OptimizerMap: expected an optimizer for %q, got %s", key,
      errors.describe(optimizer))
  end
  local name = optimizer.__name
  if name == "LossScaleOptimizer" or name == "MultiOptimizer" then
    errors.raise("OptimizerMap: a %s cannot stand for single variables", name)
  end
end

function OptimizerMap:init(args)
  Object.configure(self, args, OptimizerMap)
  self.__own.optimizers = {}
  local given = rawget(self, "optimizer_map")
  rawset(self, "optimizer_map", nil)
  if given ~= nil and not kinds.is_plain(given) then
    errors.raise("OptimizerMap: argument 'optimizer_map' should be a table of optimizers by path, "
      .. "got %s", errors.describe(given))
  end
  for key, optimizer in pairs(given or {}) do self:set(key, optimizer) end
end

--- Sets the optimizer of a path, or of a pattern of paths.
-- @tparam string key
-- @tparam Optimizer optimizer
function OptimizerMap:set(key, optimizer)
  check_entry(self, key, optimizer)
  pattern_of(key)
  self.__own.optimizers[key] = optimizer
end

--- The optimizer of a path.
-- @tparam string path
-- @treturn Optimizer
-- @raise where several patterns match
function OptimizerMap:get(path)
  local own = self.__own.optimizers
  if own[path] then return own[path] end
  local found
  for _, key in ipairs(structure.keys(own)) do
    if path:find(pattern_of(key)) then
      if found then
        errors.raise("OptimizerMap: %q and %q both match the path %q", found, key, path)
      end
      found = key
    end
  end
  return found and own[found] or self.default_optimizer
end

--- Takes away the optimizer of a key and returns it; nil where there is none.
function OptimizerMap:pop(key)
  local optimizer = self.__own.optimizers[key]
  self.__own.optimizers[key] = nil
  return optimizer
end

--- The keys, sorted.
function OptimizerMap:keys() return structure.keys(self.__own.optimizers) end

--- The optimizers, each once, in the order of their keys; the default one last.
function OptimizerMap:optimizers()
  local list, seen = {}, {}
  for _, key in ipairs(structure.keys(self.__own.optimizers)) do
    local optimizer = self.__own.optimizers[key]
    if not seen[optimizer] then list[#list + 1], seen[optimizer] = optimizer, true end
  end
  if not seen[self.default_optimizer] then list[#list + 1] = self.default_optimizer end
  return list
end

--- The optimizer of a variable.
function OptimizerMap:__call(variable) return self:get(variable.path) end

function OptimizerMap:__len() return #structure.keys(self.__own.optimizers) end

function OptimizerMap:get_config()
  local by_key = ordered.object()
  for _, key in ipairs(structure.keys(self.__own.optimizers)) do
    ordered.set(by_key, key, registry.serialize(self.__own.optimizers[key]))
  end
  return ordered.object({default_optimizer = registry.serialize(self.default_optimizer),
    optimizer_map = by_key}, {"default_optimizer", "optimizer_map"})
end

--- A map from its configuration.
function OptimizerMap.from_config(class, config)
  Object.expect_config(class, config)
  local by_key = {}
  for key, one in pairs(config.optimizer_map or {}) do
    by_key[key] = registry.deserialize(one, {module = "keras.optimizers"})
  end
  return class{
    registry.deserialize(config.default_optimizer, {module = "keras.optimizers"}),
    optimizer_map = by_key,
  }
end

local assign = OptimizerMap.__newindex
rawset(OptimizerMap, "__newindex", function(self, key, value)
  if self.__own.optimizers then return self:set(key, value) end
  assign(self, key, value)
end)

return OptimizerMap
