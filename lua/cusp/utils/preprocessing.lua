--- Keras's older places of helpers that are in `cusp.utils`.
-- @module cusp.preprocessing
local image_arrays = require "cusp.utils.image_arrays"
local images = require "cusp.utils.images"
local sequences = require "cusp.utils.sequences"
local texts = require "cusp.utils.texts"
local timeseries = require "cusp.utils.timeseries"

return {
  image_dataset_from_directory = images.image_dataset_from_directory,
  text_dataset_from_directory = texts.text_dataset_from_directory,
  timeseries_dataset_from_array = timeseries.timeseries_dataset_from_array,
  sequence = {pad_sequences = sequences.pad_sequences},
  image = {
    array_to_img = image_arrays.array_to_img, img_to_array = images.img_to_array,
    load_img = images.load_img, save_img = images.save_img,
    smart_resize = image_arrays.smart_resize,
  },
}
