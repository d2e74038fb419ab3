--- Images: datasets from directories, and single files.
-- @module cusp.utils.images
local arguments = require "cusp.base.arguments"
local plain = require "cusp.base.plain"
local directory = require "cusp.utils.directory"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local random = require "cusp.tensors.random"
local whole_file = require "cusp.base.whole_file"

local images = {}

local formats = {".jpeg", ".jpg", ".png"}

local bind = arguments.named_binder("image_dataset_from_directory", {
  {"directory", "string"}, {"labels", "any", default = "inferred"},
  {"label_mode", "choice", choices = {"int", "categorical", "binary"}, default = "int"},
  {"class_names", "list", optional = true},
  {"color_mode", "choice", choices = {"grayscale", "rgb", "rgba"}, default = "rgb"},
  {"batch_size", "integer", default = 32, min = 1},
  {"image_size", "integers", default = {256, 256}, rank = 2, min = 1},
  {"shuffle", "boolean", default = true}, {"seed", "integer", optional = true, min = 0},
  {"validation_split", "number", optional = true},
  {"subset", "choice", choices = {"training", "validation", "both"}, optional = true},
  {"interpolation", "choice", choices = {"bilinear", "nearest", "bicubic", "area"},
    default = "bilinear"},
  {"follow_links", "boolean", default = false},
  {"crop_to_aspect_ratio", "boolean", default = false},
  {"pad_to_aspect_ratio", "boolean", default = false},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
  {"format", "any", optional = true},
  {"verbose", "boolean", default = true},
}, false)

--- The options of a call; without labels, those for labels are removed.
-- @local
function images.without_labels(options)
  if not options.labels or options.label_mode == nil then
    options.labels, options.label_mode = nil, nil
  end
  return options
end

--- A seed from 0 to 999999, as Keras draws it.
-- @local
function images.draw_seed() return random.make_seed() % 1000000 end

--- Makes a dataset from the PNG and JPEG files of a directory, decoded in the background; classes
-- are its subdirectories.
-- @tparam string directory
-- @param[opt="inferred"] labels "inferred"; a list of integers, one per file in the order of their
-- paths; `cusp.null` for none
-- @tparam[opt="int"] string label_mode "int": int32 `[batch]`; "categorical": one-hot float32
-- `[batch, classes]`; "binary": float32 `[batch, 1]`; `cusp.null`: no labels
-- @tparam[opt] table class_names the subdirectories in the order of their class ids; by default
-- sorted by name
-- @tparam[opt="rgb"] string color_mode "grayscale", "rgb" or "rgba"
-- @tparam[opt=32] integer batch_size `cusp.null` for single images
-- @tparam[opt={256, 256}] table image_size `{height, width}`
-- @tparam[opt=true] boolean shuffle
-- @tparam[opt] integer seed order and split are then those of Keras with that seed
-- @tparam[opt] number validation_split
-- @tparam[opt] string subset "training", "validation", or "both", which returns two datasets
-- @tparam[opt="bilinear"] string interpolation
-- @tparam[opt=false] boolean follow_links
-- @tparam[opt=false] boolean crop_to_aspect_ratio
-- @tparam[opt=false] boolean pad_to_aspect_ratio
-- @tparam[opt] string data_format
-- @tparam[opt=true] boolean verbose whether to print the number of files
-- @treturn Dataset of float32 `[batch, height, width, channels]`, with labels `(images, labels)`;
-- its fields `class_names` and `file_paths` list classes and files
-- @raise for a directory without images; during iteration, naming the file, for one that cannot be
-- decoded
function images.image_dataset_from_directory(...)
  local options = images.without_labels(bind(...))
  options.formats = formats
  directory.check("image_dataset_from_directory", options)
  options.seed = options.seed or images.draw_seed()
  return directory.datasets("image_dataset_from_directory", options.directory, options, "images",
    function(paths, labels, shuffle)
    local dataset = require("cusp.data.images").from_images(paths, {
      labels = labels, image_size = options.image_size, color_mode = options.color_mode,
      interpolation = options.interpolation,
      crop_to_aspect_ratio = options.crop_to_aspect_ratio,
      pad_to_aspect_ratio = options.pad_to_aspect_ratio,
      data_format = options.data_format,
    })
    -- The order takes 8 bytes per file, so the buffer holds all of them.
    if shuffle then dataset = dataset:shuffle(#paths, options.seed) end
    if options.batch_size then dataset = dataset:batch(options.batch_size) end
    return dataset:prefetch()
  end)
end

---------------------------------------------------------------- single files

local bind_load = arguments.binder("load_img", {
  {"path", "string"}, {"color_mode", "choice", choices = {"grayscale", "rgb", "rgba"},
    default = "rgb"},
  {"target_size", "integers", rank = 2, min = 1, optional = true},
  {"interpolation", "choice",
    choices = {"nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"}, default = "nearest"},
  {"keep_aspect_ratio", "boolean", default = false},
}, false)

local channels_of = {grayscale = 1, rgb = 3, rgba = 4}

--- A PNG or JPEG file as a tensor of whole numbers `[height, width, channels]`: uint8, or uint16
-- for 16-bit grey in color_mode "grayscale". The pixels are those of Keras, which asks Pillow for
-- them; as there, 16-bit grey in another color_mode is cut off at 255.
-- @tparam string path
-- @tparam[opt="rgb"] string color_mode "grayscale", "rgb" or "rgba"
-- @tparam[opt] table target_size `{height, width}`
-- @tparam[opt="nearest"] string interpolation "nearest", or, antialiased, "bilinear", "bicubic",
-- "box", "hamming" or "lanczos"
-- @tparam[opt=false] boolean keep_aspect_ratio whether what does not fit is cut off rather than
-- squeezed
-- @treturn tensor
function images.load_img(...)
  local path, color_mode, size, interpolation, keep = bind_load(...)
  return engine.data.load_image(path, channels_of[color_mode], {
    height = size and size[1], width = size and size[2],
    interpolation = interpolation, keep_aspect_ratio = keep,
  })
end

local bind_array = arguments.binder("img_to_array", {
  {"img", "any"}, {"data_format", "choice", choices = {"channels_last", "channels_first"},
    optional = true},
  {"dtype", "dtype", optional = true},
}, false)

--- Converts an image to a float tensor.
-- @param img as returned by `load_img`
-- @tparam[opt] string data_format
-- @tparam[opt] string dtype
-- @treturn tensor
function images.img_to_array(...)
  local img, data_format, dtype = bind_array(...)
  if not engine.is_tensor(img) or img.ndim ~= 2 and img.ndim ~= 3 then
    errors.raise(
      "img_to_array: expected a tensor [height, width, channels] or [height, width], got %s",
      errors.describe(img))
  end
  local array = engine.ops.cast(img, dtype or engine.get_floatx())
  if array.ndim == 2 then array = engine.ops.expand_dims(array, 3) end
  local first = (data_format or require("cusp.base.config").image_data_format()) == "channels_first"
  return first and engine.ops.transpose(array, {3, 1, 2}) or array
end

local bind_save = arguments.binder("save_img", {
  {"path", "string"}, {"x", "any"},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
  {"file_format", "choice", choices = {"png"}, optional = true},
  {"scale", "boolean", default = true},
}, false)

--- Scales from 0 for the smallest value to 255 for the largest, like Keras.
local function stretched(x)
  local ops = engine.ops
  x = ops.cast(x, "float32")
  x = ops.subtract(x, ops.min(x))
  local largest = ops.max(x)
  return ops.multiply(ops.divide(x, ops.where(ops.equal(largest, 0), 1, largest)), 255)
end

--- Writes an image as PNG.
-- @tparam string path
-- @tparam tensor x `[height, width, channels]` or `[height, width]`; 1 to 4 channels
-- @tparam[opt] string data_format
-- @tparam[opt] string file_format "png", for any path; by default the path must end in ".png"
-- @tparam[opt=true] boolean scale whether to stretch the values to 0 to 255; otherwise they are
-- clipped
-- @see the Keras function keras.utils.save_img
function images.save_img(...)
  local path, x, data_format, file_format, scale = bind_save(...)
  if not file_format and not plain.lower(path):find "%.png$" then
    errors.raise(
      "save_img: images are written as PNG, got the path '%s'; end it in .png, or pass "
      .. "file_format = \"png\"", path)
  end
  local picture = images.img_to_array{x, data_format = "channels_last", dtype = "float32"}
  if (data_format or require("cusp.base.config").image_data_format()) == "channels_first"
    and x.ndim == 3 then
    picture = engine.ops.transpose(picture, {2, 3, 1})
  end
  local height, width, channels = table.unpack(picture.shape)
  if channels < 1 or channels > 4 then
    errors.raise("save_img: expected 1 to 4 channels, got shape %s", errors.shape(x.shape))
  end
  if scale then picture = stretched(picture) end
  local bytes = engine.ops.cast(engine.ops.clip(engine.ops.nan_to_num(picture), 0, 255), "uint8")
  local png = require("cusp.base.native").load("png", "save_img").encode(bytes:tobytes(), width,
    height, channels)
  whole_file.write(path, png)
end

return images
