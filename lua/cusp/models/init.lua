--- Models: `cusp.models`.
-- @module cusp.models
local errors = require "cusp.base.errors"
local kinds = require "cusp.base.kinds"
local namespace = require "cusp.base.namespace"
local rooms = require "cusp.base.rooms"

local models = namespace.new("cusp.models", {
  Model = "model", Function = "function", Functional = "functional", Sequential = "sequential",
  clone_model = "clone",
})

--- The arguments of the functions below: the configuration and custom objects, by name, by
-- position, or as the table itself.
local function read_arguments(name, what, ...)
  local first, second = ...
  local named = kinds.is_plain(first)
    and (first.class_name == nil and (first[1] ~= nil or first[what] ~= nil)) and second == nil
  if named then return first[1] or first[what], first[2] or first.custom_objects end
  if kinds.is_plain(second) and second.custom_objects ~= nil then second = second.custom_objects end
  if second ~= nil and not kinds.is_plain(second) then
    errors.raise("%s: custom_objects should be a table of classes by name, got %s", name,
      errors.describe(second))
  end
  return first, second
end

--- Makes a model from its configuration as a table, of any generation of Keras.
-- @tparam table config as decoded from `to_json`
-- @tparam[opt] table custom_objects classes and functions by name
-- @treturn Model
-- @raise naming the place in the configuration and the error
function models.model_from_config(...)
  local config, custom_objects = read_arguments("model_from_config", "config", ...)
  return rooms.get("saving.configuration").to_model(config, {custom_objects = custom_objects})
end

--- Makes a model from the text of `to_json`, Cusp's or Keras's.
-- @tparam string json_string
-- @tparam[opt] table custom_objects
-- @treturn Model
-- @usage local copy = cusp.models.model_from_json(model:to_json())
function models.model_from_json(...)
  local text, custom_objects = read_arguments("model_from_json", "json_string", ...)
  return rooms.get("saving.configuration").of_text("model_from_json",
    require("cusp.formats.json").decode, text, custom_objects)
end

--- Makes a model from the text of `to_yaml`, Cusp's or Keras's.
-- @tparam string yaml_string
-- @tparam[opt] table custom_objects
-- @treturn Model
function models.model_from_yaml(...)
  local text, custom_objects = read_arguments("model_from_yaml", "yaml_string", ...)
  return rooms.get("saving.configuration").of_text("model_from_yaml",
    require("cusp.formats.yaml").decode, text, custom_objects)
end

--- Loads a model from a file written by `Model:save` or Keras; see `cusp.saving.methods`.
function models.load_model(...) return rooms.get("saving.methods").load_model(...) end

--- Saves a whole model: `save_model(model, filepath)` is the same as `model:save(filepath)`.
-- @tparam Model model
-- @tparam string filepath
-- @tparam[opt=true] boolean overwrite
function models.save_model(...) return rooms.get("saving.functions").save_model(...) end

return models
