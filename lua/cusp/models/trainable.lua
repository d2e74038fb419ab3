--- `model:set_trainable(pattern, flag)`: freezes layers by their names.
-- @module cusp.models.trainable
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

-- The layers that are no models, with their paths; models within are listed in `models`.
local function collect(list, model, place)
  list.models[#list.models + 1] = model
  for _, layer in ipairs(model.layers) do
    local path = place .. layer.name
    if not list[layer] then
      list[layer] = true
      if layer.__is_model then collect(list, layer, path .. "/")
      else list[#list + 1] = {layer = layer, path = path} end
    end
  end
  return list
end

-- A layer within a frozen model would stay frozen.
local function open_models(list)
  for _, entry in ipairs(list) do entry.flag = entry.layer.trainable end
  for _, model in ipairs(list.models) do model.trainable = true end
  for _, entry in ipairs(list) do entry.layer.trainable = entry.flag end
end

local parameters = {{"pattern", "string"}, {"trainable", "boolean", default = true}}

--- Sets `trainable` of all layers whose names match a Lua pattern. Layers of models within have
-- paths, such as `mobilenetv2/block_1_expand`.
-- @function Model:set_trainable
-- @tparam string pattern for `string.find`, so `"^block_1_"` is all that begins so
-- @tparam[opt=true] boolean trainable
-- @treturn {string,...} the paths of the layers that match
-- @raise if no layer matches
-- @usage model:set_trainable(".", false); model:set_trainable "^block_1[56]_"
return function(self, ...)
  local pattern, flag = arguments.bind("set_trainable", parameters, false, ...)
  local list, found = collect({models = {}}, self, ""), {}
  for _, entry in ipairs(list) do
    local ok, position = engine.attempt(string.find, entry.path, pattern)
    if not ok then errors.raise("set_trainable: %q is no Lua pattern: %s", pattern, position) end
    entry.matches = position ~= nil
    if position then found[#found + 1] = entry.path end
  end
  if #found == 0 then
    errors.raise("set_trainable: no layer of %s has a name that matches %q", self.name, pattern)
  end
  if flag then open_models(list) end
  for _, entry in ipairs(list) do
    if entry.matches then entry.layer.trainable = flag end
  end
  return found
end
