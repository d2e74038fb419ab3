--- Models: `cusp.models`.
-- @module cusp.models
local namespace = require "cusp.namespace"

local models = namespace.new("cusp.models", {
  Model = "model", Functional = "functional", Sequential = "sequential", clone_model = "clone",
})

--- A model (or layer) from its serialised form.
-- @tparam table config as decoded from `to_json`
-- @tparam[opt] table custom_objects classes and functions by name
function models.model_from_config(config, custom_objects)
  return require("cusp.layers").deserialize(config, custom_objects)
end

--- A model from the text of `to_json`.
-- @tparam string text
-- @tparam[opt] table custom_objects
function models.model_from_json(text, custom_objects)
  return models.model_from_config(require("cusp.json").decode(text), custom_objects)
end

return models
