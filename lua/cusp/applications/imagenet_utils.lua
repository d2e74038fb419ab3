--- What networks trained on ImageNet share: scaling pixels, and naming classes.
-- @module cusp.applications.imagenet_utils
local arguments = require "cusp.base.arguments"
local cache = require "cusp.applications.cache"
local config = require "cusp.base.config"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local imagenet_utils = {}

---------------------------------------------------------------- pixels

local function along_channels(values, x, data_format)
  local shape = {}
  for i = 1, #x.shape do shape[i] = 1 end
  shape[data_format == "channels_first" and #x.shape - 2 or #x.shape] = 3
  return ops.reshape(ops.cast(ops.convert_to_tensor(values), x.dtype), shape)
end

local function standardize(x, mean, deviation, data_format)
  x = ops.subtract(x, along_channels(mean, x, data_format))
  return deviation and ops.divide(x, along_channels(deviation, x, data_format)) or x
end

local modes = {}

--- Between -1 and 1.
function modes.tf(x) return ops.subtract(ops.divide(x, 127.5), 1.0) end

--- Between 0 and 1, then standardised by the mean and the deviation of ImageNet's channels.
function modes.torch(x, data_format)
  return standardize(ops.divide(x, 255.0), {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225},
    data_format)
end

--- Blue, green, red, less the mean of ImageNet's channels.
function modes.caffe(x, data_format)
  local axis = data_format == "channels_first" and #x.shape - 2 or #x.shape
  return standardize(ops.flip(x, axis), {103.939, 116.779, 123.68}, nil, data_format)
end

function modes.none(x) return x end

local choice_of_mode = {"mode", "choice", choices = {"caffe", "tf", "torch"}, default = "caffe"}
local data_format_parameter = {
  "data_format", "choice", choices = {"channels_first", "channels_last"}, optional = true,
}

local function preprocess(x, data_format, mode)
  if type(x) == "table" and not getmetatable(x) then x = ops.convert_to_tensor(x) end
  if #x.shape ~= 3 and #x.shape ~= 4 then
    errors.raise("preprocess_input: expected images of shape [height, width, channels], or a batch "
      .. "of them, got %s", errors.shape(x.shape))
  end
  if not x.dtype:find "float" then x = ops.cast(x, config.floatx()) end
  return modes[mode](x, data_format or config.image_data_format())
end

local bind_preprocess = arguments.binder("preprocess_input",
  {{"x", "any"}, data_format_parameter, choice_of_mode}, "nested")

--- Scales the pixels of images as a family of networks was trained.
-- @param x images of RGB, 0 to 255: `[height, width, 3]` or `[batch, height, width, 3]`
-- @tparam[opt] string data_format
-- @tparam[opt="caffe"] string mode "caffe" (BGR less ImageNet's mean), "tf" (-1 to 1) or "torch"
-- (0 to 1, then standardised)
-- @treturn Tensor of floats
function imagenet_utils.preprocess_input(...) return preprocess(bind_preprocess(...)) end

--- The `preprocess_input` of a family: the function above with its mode.
-- @tparam string mode; "none" where the network scales its input itself
function imagenet_utils.preprocessor(mode)
  local bind = arguments.binder("preprocess_input", {{"x", "any"}, data_format_parameter}, "nested")
  return function(...)
    local x, data_format = bind(...)
    return preprocess(x, data_format, mode)
  end
end

---------------------------------------------------------------- classes

local class_index

-- Keras's list: "0" → {"n01440764", "tench"}, ...
local function read_class_index()
  local path = cache.find("decode_predictions", "", {
    "imagenet_class_index.json",
    origin = "https://storage.googleapis.com/download.tensorflow.org/data/"
      .. "imagenet_class_index.json",
    file_hash = "c2c37ea517e94d9795004a39431a14cb",
  })
  local file <close> = assert(io.open(path, "rb"))
  return require("cusp.formats.json").decode(file:read "a")
end

local bind_decode = arguments.binder("decode_predictions",
  {{"preds", "tensor"}, {"top", "integer", default = 5, min = 1}}, "nested")

--- The most likely classes of each sample. Their names come from Keras's file
-- `imagenet_class_index.json` in its cache (`~/.keras/models`).
-- @tparam Tensor preds `[batch, 1000]`
-- @tparam[opt=5] integer top how many
-- @treturn {{{string,string,number},...},...} for each sample `{id, name, score}`, best first
-- @raise where the file is missing, with its name and place
function imagenet_utils.decode_predictions(...)
  local predictions, top = bind_decode(...)
  if #predictions.shape ~= 2 or predictions.shape[2] ~= 1000 then
    errors.raise("decode_predictions: expected predictions of shape [batch, 1000], got %s",
      errors.shape(predictions.shape))
  end
  class_index = class_index or read_class_index()
  local scores, places = ops.top_k(predictions, math.min(top, 1000))
  local results = {}
  for i, row in ipairs(scores:tolist()) do
    local best, ids = {}, places[i]:tolist()
    for k, score in ipairs(row) do
      local class = class_index[("%d"):format(ids[k])]
      best[k] = {class[1], class[2], score}
    end
    results[i] = best
  end
  return results
end

return imagenet_utils
