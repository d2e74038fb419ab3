--- What a layer holds: the layers, variables and metrics among its fields, also within lists, in the order of assignment.
-- @module cusp.layers.tracking

local engine = require "cusp.engine"
local structure = require "cusp.models.structure"

local tracking = {}

--- What kind of tracked thing a value is: "variable", "layer", "metric", or nil.
function tracking.kind(value)
  if type(value) == "userdata" then return engine.is_variable(value) and "variable" or nil end
  if type(value) ~= "table" then return nil end
  local class = getmetatable(value)
  if type(class) ~= "table" then return nil end
  if class.__is_layer then return "layer" end
  if class.update_state and class.result then return "metric" end
  return nil
end

local function walk(value, visit, seen)
  local kind = tracking.kind(value)
  if kind then return visit(kind, value) end
  if not structure.is_container(value) or seen[value] then return end
  seen[value] = true
  for i = 1, #value do walk(value[i], visit, seen) end
  for _, key in ipairs(structure.keys(value)) do
    if type(key) == "string" then walk(value[key], visit, seen) end
  end
end

--- Calls `visit(kind, value)` for each tracked thing directly below a layer.
function tracking.each(layer, visit)
  local seen = {}
  for _, name in ipairs(layer.__order) do walk(rawget(layer, name), visit, seen) end
end

--- A list without its repetitions.
function tracking.unique(list)
  local seen, result = {}, {}
  for _, item in ipairs(list) do
    if not seen[item] then
      seen[item] = true
      result[#result + 1] = item
    end
  end
  return result
end

return tracking
