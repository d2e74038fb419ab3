--- What a layer holds: the layers, variables and metrics among its fields, also within lists, in the order of assignment.
-- @module cusp.layers.tracking

local engine = require "cusp.engine"
local lists = require "cusp.lists"
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

--- Whether a table of a user's class holds nothing but what is tracked, by name: a map of layers.
local function is_map(value)
  if type(value) ~= "table" or next(value) == nil then return false end
  for key, item in next, value do
    if type(key) ~= "string" or not tracking.kind(item) then return false end
  end
  return true
end

local function walk(value, visit, seen)
  local kind = tracking.kind(value)
  if kind then return visit(kind, value) end
  local container = structure.is_container(value)
  if not container and not is_map(value) or seen[value] then return end
  seen[value] = true
  for i = 1, rawlen(value) do walk(rawget(value, i), visit, seen) end
  if container and lists.is_foreign(value) then return end -- its other fields are its class's own
  for _, key in ipairs(structure.keys(value)) do
    if type(key) == "string" then walk(rawget(value, key), visit, seen) end
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
