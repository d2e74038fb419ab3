--- Models: `cusp.models`.
-- @module cusp.models
local arguments = require "cusp.arguments"
local namespace = require "cusp.namespace"

local models = namespace.new("cusp.models", {
  Model = "model", Functional = "functional", Sequential = "sequential", clone_model = "clone",
})

local custom_parameter = { "custom_objects", "any", optional = true }

--- A model from its configuration as a table, of whichever generation of Keras.
-- @tparam table config as decoded from `to_json`
-- @tparam[opt] table custom_objects classes and functions by name
-- @treturn Model
-- @raise naming the place in the configuration and what is wrong there
function models.model_from_config(...)
  local config, custom_objects = arguments.bind("model_from_config", { { "config", "any" }, custom_parameter }, "nested", ...)
  return require("cusp.saving.configuration").to_model(config, { custom_objects = custom_objects })
end

--- A model from the text of `to_json`, Cusp's or Keras's.
-- @tparam string json_string
-- @tparam[opt] table custom_objects
-- @treturn Model
-- @usage local copy = cusp.models.model_from_json(model:to_json())
function models.model_from_json(...)
  local text, custom_objects = arguments.bind("model_from_json", { { "json_string", "any" }, custom_parameter }, false, ...)
  return require("cusp.saving.configuration").of_text("model_from_json", require("cusp.json").decode, text, custom_objects)
end

--- A model from the text of `to_yaml`, Cusp's or Keras's.
-- @tparam string yaml_string
-- @tparam[opt] table custom_objects
-- @treturn Model
function models.model_from_yaml(...)
  local text, custom_objects = arguments.bind("model_from_yaml", { { "yaml_string", "any" }, custom_parameter }, false, ...)
  return require("cusp.saving.configuration").of_text("model_from_yaml", require("cusp.yaml").decode, text, custom_objects)
end

return models
