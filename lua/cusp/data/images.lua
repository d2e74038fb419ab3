--- Datasets of pictures, decoded and resized in the background.
-- @module cusp.data.images
local Dataset = require "cusp.data.dataset"
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local images = {}

local channels_of = {grayscale = 1, rgb = 3, rgba = 4}
local interpolations = {"nearest", "bilinear", "bicubic", "area"}

local bind = arguments.named_binder("from_images", {
  {"paths", "list"}, {"labels", "any", optional = true},
  {"image_size", "integers", default = {256, 256}, rank = 2, min = 1},
  {"color_mode", "choice", choices = {"grayscale", "rgb", "rgba"}, default = "rgb"},
  {"interpolation", "choice", choices = interpolations, default = "bilinear"},
  {"crop_to_aspect_ratio", "boolean", default = false},
  {"pad_to_aspect_ratio", "boolean", default = false},
  {"data_format", "choice", choices = {"channels_last", "channels_first"}, optional = true},
  {"num_parallel_calls", "integer", optional = true},
}, "nested")

--- Pictures from PNG and JPEG files: float32 values from 0 to 255.
-- @tparam {string,...} paths
-- @param[opt] labels a tensor or a table with one row for each path; elements are then `(image,
-- label)`
-- @tparam[opt={256, 256}] table image_size `{height, width}`
-- @tparam[opt="rgb"] string color_mode "grayscale", "rgb" or "rgba"
-- @tparam[opt="bilinear"] string interpolation "nearest", "bilinear", "bicubic" or "area", all
-- without antialiasing
-- @tparam[opt=false] boolean crop_to_aspect_ratio whether what does not fit is cut off rather than
-- squeezed
-- @tparam[opt=false] boolean pad_to_aspect_ratio whether there are zeros beside what does not fit
-- @tparam[opt] string data_format "channels_last" or "channels_first"
-- @tparam[opt] integer num_parallel_calls threads that decode; by default as many as the engine has
-- @treturn Dataset
-- @raise while iterating, naming the file, for one that cannot be decoded
function images.from_images(...)
  local args = bind(...)
  local paths, labels, size, threads = args.paths, args.labels, args.image_size,
    args.num_parallel_calls
  if #paths == 0 then errors.raise "from_images: there is no path" end
  local data_format = args.data_format or require("cusp.base.config").image_data_format()
  local rows, form = engine.data.images{
    paths = paths, height = size[1], width = size[2], channels = channels_of[args.color_mode],
    interpolation = args.interpolation, crop = args.crop_to_aspect_ratio,
    pad = args.pad_to_aspect_ratio, channels_first = data_format == "channels_first",
  }, 1
  if labels ~= nil then
    local tensor = type(labels) == "userdata" and labels or engine.tensor(labels)
    if #tensor.shape == 0 or tensor.shape[1] ~= #paths then
      errors.raise("from_images: there are %d paths, but labels has shape %s", #paths,
        errors.shape(tensor.shape))
    end
    rows, form = engine.data.zip{rows, engine.data.arrays{tensor}}, {1, 2}
  end
  local workers = threads and threads > 0 and threads or math.min(engine.get_num_threads(), 8)
  return Dataset.make(require("cusp.data.stages.source").rows,
    {rows = rows, form = form, workers = workers})
end

--- A PNG or JPEG file as a uint8 tensor `[height, width, channels]`.
-- @tparam string path
-- @tparam[opt] string color_mode by default as the file is
function images.read_image(path, color_mode)
  if type(path) ~= "string" then
    errors.raise("read_image: expected a path, got %s", errors.describe(path))
  end
  if color_mode ~= nil and not channels_of[color_mode] then
    errors.raise("read_image: color_mode should be \"grayscale\", \"rgb\" or \"rgba\", got %s",
      errors.describe(color_mode))
  end
  return engine.data.read_image(path, color_mode and channels_of[color_mode] or 0)
end

return images
