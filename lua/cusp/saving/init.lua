--- Saving models: whole models, checkpoints, and finding user-defined classes when a file is
-- loaded. Models have the methods `save`, `save_weights` and `load_weights`; `cusp.load` and
-- `cusp.save` are for tensors.
-- @module cusp.saving
-- @usage local names = cusp.saving.checkpoint.list_variables "weights"
local namespace = require "cusp.base.namespace"

local members = {checkpoint = "checkpoint", load_model = {"methods", "load_model"}}
for _, name in ipairs{"save_model", "save_weights", "load_weights"} do
  members[name] = {"functions", name}
end
for _, name in ipairs{
  "register_keras_serializable", "get_custom_objects", "custom_object_scope", "CustomObjectScope",
  "serialize_keras_object",
  "deserialize_keras_object", "get_registered_name", "get_registered_object",
} do
  members[name] = {"objects", name}
end

return namespace.new("cusp.saving", members)
