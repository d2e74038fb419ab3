--- Numbers of layers, by which the engine remembers whose operations fail when they run; and the
-- messages of such failures, in the words of the layer.
-- @module cusp.layers.machinery.places
local engine = require "cusp.engine"

local places = {}

local layers = setmetatable({}, {__mode = "v"})  -- number → layer
local numbers = setmetatable({}, {__mode = "k"}) -- layer → number
local count = 0

--- The number of a layer.
-- @treturn integer
function places.of(layer)
  local number = numbers[layer]
  if not number then
    count = count + 1
    number = count
    layers[number], numbers[layer] = layer, number
  end
  return number
end

--- The layer of a number, or nil.
function places.layer(number) return layers[number] end

-- Of a layer of the library the user knows its arguments; of an own one, the operation within.
local function words(layer, name, text)
  if not getmetatable(layer).__library then return ("%s: %s"):format(name, text) end
  return layer.explain_failure and layer:explain_failure(text, name) or text
end

engine.set_place_handler(function(message, number)
  local layer = layers[number]
  local name, position, text = message:match "^([%w_.]+) %(made at ([^\n]-:%d+)%): (.*)$"
  if not layer or not name then return message end
  return ("%s (%s): %s (called at %s)"):format(layer.name, getmetatable(layer).__name,
    words(layer, name, text), position)
end)

return places
