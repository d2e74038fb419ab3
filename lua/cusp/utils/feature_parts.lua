--- What a FeatureSpace is made of: descriptions of features and of their crosses, and the two
-- layers that Keras has for it. Files name these classes.
-- @module cusp.utils.feature_parts
local Object = require "cusp.base.class"
local kinds = require "cusp.base.kinds"
local layers = require "cusp.layers"
local ops = require "cusp.ops"
local ordered = require "cusp.base.ordered"
local registry = require "cusp.base.registry"

local MODULE = "keras.src.layers.preprocessing.feature_space"
local parts = {}

local function part(base, name, definition)
  definition.__module, definition.__registered_name = MODULE, name
  local class = base:extend(name, definition)
  parts[name] = class
  return class
end

local function output_mode(...)
  return {"output_mode", "choice", choices = {...}, default = "one_hot"}
end

--- How a feature is prepared: its dtype, the layer that does it, and whether the layer's integers
-- become one-hot vectors.
local Feature = part(Object, "Feature", {
  config = {{"dtype", "dtype", strings = true}, {"preprocessor", "any"},
    output_mode("int", "one_hot", "float")},
})

function Feature:init(args)
  Object.configure(self, args, Feature)
  if kinds.is_plain(self.preprocessor) then
    self.preprocessor = registry.deserialize(self.preprocessor, {module = "keras.layers"})
  end
end

function Feature:get_config()
  return ordered.object({
    dtype = self.dtype, preprocessor = registry.serialize(self.preprocessor),
    output_mode = self.output_mode,
  }, {"dtype", "preprocessor", "output_mode"})
end

--- Features that are hashed together.
local Cross = part(Object, "Cross", {
  config = {{"feature_names", "list", list_of = "string"}, {"crossing_dim", "integer", min = 1},
    output_mode("int", "one_hot")},
})

function Cross:init(args)
  Object.configure(self, args, Cross)
  self.name = table.concat(self.feature_names, "_X_")
end

function Cross:get_config()
  return ordered.object({
    feature_names = self.feature_names, crossing_dim = self.crossing_dim,
    output_mode = self.output_mode,
  }, {"feature_names", "crossing_dim", "output_mode"})
end

part(layers.Layer, "TFDIdentity", {call = function(_, inputs) return inputs end})

part(layers.Layer, "TFDConcat", {
  config = {{"axis", "axis"}},
  call = function(self, inputs) return ops.concatenate(inputs, self.axis) end,
})

return parts
