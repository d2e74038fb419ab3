--- Scaling the pixels of pictures as a network was trained.
-- @module cusp.commands.machinery.preprocessing
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"

local preprocessing = {}

--- The options of commands that take pictures.
preprocessing.option = {"preprocess", "text", value = "HOW",
  about = "scale pictures: tf, caffe, torch, scale (divide by 255), or a network of\n"
    .. "cusp.applications such as mobilenet_v2"}

preprocessing.interpolation = {"interpolation", "choice", value = "NAME",
  choices = {"nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"},
  about = "how pictures are resized (bilinear)"}

local modes = {tf = true, caffe = true, torch = true}

local function find(how)
  if how == "scale" then return function(x) return ops.divide(x, 255.0) end end
  if modes[how] then
    return function(x, data_format)
      return require("cusp.applications.imagenet_utils").preprocess_input{x, mode = how,
        data_format = data_format}
    end
  end
  local family = rawget(require "cusp.applications", how)
  if type(family) == "table" and family.preprocess_input then
    return function(x, data_format)
      return family.preprocess_input{x, data_format = data_format}
    end
  end
  errors.raise("--preprocess: expected tf, caffe, torch, scale or a network of cusp.applications, "
    .. "such as mobilenet_v2, got '%s'", how)
end

--- Scales those of the inputs that are batches of pictures.
-- @tparam {tensor,...} list changed
-- @tparam ?string how
function preprocessing.apply(list, how)
  if not how then return end
  local scale, some = find(how), false
  for i, value in ipairs(list) do
    if #value.shape == 4 then
      local first = value.shape[2] == 3 and value.shape[4] ~= 3
      list[i] = scale(ops.cast(value, "float32"), first and "channels_first" or "channels_last")
      some = true
    end
  end
  if not some then errors.raise "--preprocess: none of the inputs is a batch of pictures" end
end

return preprocessing
