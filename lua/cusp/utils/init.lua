--- Helpers for models and data.
-- @module cusp.utils
local namespace = require "cusp.base.namespace"

local members = {PyDataset = "py_dataset", Sequence = "py_dataset",
  FeatureSpace = "feature_space"}
for file, names in pairs{
  numerical = "to_categorical normalize set_random_seed",
  sequences = "pad_sequences",
  skipgrams = "skipgrams",
  image_arrays = "array_to_img",
  images = "image_dataset_from_directory load_img img_to_array save_img",
  texts = "text_dataset_from_directory",
  timeseries = "timeseries_dataset_from_array",
  datasets = "split_dataset pack_x_y_sample_weight unpack_x_y_sample_weight",
  objects =
  "register_keras_serializable get_custom_objects custom_object_scope CustomObjectScope "
  .. "serialize_keras_object "
    .. "deserialize_keras_object get_registered_name get_registered_object",
  plot_model = "plot_model model_to_dot",
  session = "clear_session is_keras_tensor standardize_dtype enable_interactive_logging "
    .. "disable_interactive_logging is_interactive_logging_enabled get_source_inputs",
  file = "get_file", audio = "audio_dataset_from_directory",
} do
  for name in names:gmatch "%S+" do members[name] = {file, name} end
end

members.fuse_batch_normalization = "fuse_batch_normalization"
members.bounding_boxes, members.Progbar = "bounding_boxes", "progbar"

return namespace.new("cusp.utils", members)
