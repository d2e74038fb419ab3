--- Layers one after another, for data: what `dataset:map` gets when there are several of them.
-- Unlike a Sequential model, called by itself it is in training mode unless told otherwise, so that
-- random layers do something, and it may give strings.
-- @classmod cusp.layers.Pipeline
-- @tparam {Layer,...} layers
-- @usage dataset:map(layers.Pipeline{layers.RandomFlip(), layers.Rescaling(1 / 255)})
local Layer = require "cusp.layers.machinery.layer"
local calling = require "cusp.layers.machinery.calling"
local errors = require "cusp.base.errors"
local masks = require "cusp.base.masks"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"
local structure = require "cusp.base.structure"
local symbolic = require "cusp.symbolic.tensors"

local Pipeline = Layer:extend("Pipeline", {
  positional_order = "layers name",
  autocast = false,
  call_arguments = {"training", "mask"},
  config = {{"layers", "list", list_of = "layer"}},
})

local function is_string(leaf) return type(leaf) == "string" end

--- The training flag of a call on data: as told, as that of the call around it, or true.
local function with_training(args)
  local result = {}
  for key, value in pairs(args or {}) do result[key] = value end
  if result.training == nil then result.training = calling.training() end
  if result.training == nil then result.training = true end
  return result
end

--- Calls the layers on inputs of any kind that the first of them takes.
function Pipeline:__call(inputs, args, ...)
  if args ~= nil and not structure.is_container(args) or args and #args > 0 or (...) ~= nil then
    errors.raise("%s (Pipeline): takes the inputs and a table of keywords, got %s", self.name,
      errors.describe(args))
  end
  if structure.find(inputs, symbolic.is_symbolic) then
    return calling.call(self, inputs, args or {})
  end
  args = with_training(args)
  if structure.find(inputs, is_string) then return self:call(inputs, args) end
  return calling.call(self, inputs, args)
end

function Pipeline:call(inputs, args)
  masks.attach(inputs, args.mask)
  for _, layer in ipairs(self.layers) do inputs = layer(inputs, {training = args.training}) end
  return inputs
end

function Pipeline:get_config()
  return ordered.object({layers = registry.serialize(self.layers), name = self.name},
    {"layers", "name"})
end

return Pipeline
