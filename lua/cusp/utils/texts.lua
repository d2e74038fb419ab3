--- Datasets of text files in directories.
-- @module cusp.utils.texts
local arguments = require "cusp.base.arguments"
local directory = require "cusp.utils.directory"
local engine = require "cusp.engine"
local images = require "cusp.utils.images"

local texts = {}

local bind = arguments.named_binder("text_dataset_from_directory", {
  {"directory", "string"}, {"labels", "any", default = "inferred"},
  {"label_mode", "choice", choices = {"int", "categorical", "binary"}, default = "int"},
  {"class_names", "list", optional = true},
  {"batch_size", "integer", default = 32, min = 1},
  {"max_length", "integer", optional = true, min = 1},
  {"shuffle", "boolean", default = true}, {"seed", "integer", optional = true, min = 0},
  {"validation_split", "number", optional = true},
  {"subset", "choice", choices = {"training", "validation", "both"}, optional = true},
  {"follow_links", "boolean", default = false}, {"format", "any", optional = true},
  {"verbose", "boolean", default = true},
}, false)

local function read(path, max_length)
  local reader <close> = engine.files.open(path)
  return reader:read(0, math.min(reader.size, max_length or reader.size))
end

--- Makes a dataset from the `.txt` files of a directory; classes are its subdirectories. Files are
-- read on demand. Takes the arguments of `image_dataset_from_directory`, and
-- @tparam string directory
-- @tparam[opt] integer max_length maximum number of bytes to read per file
-- @treturn Dataset of lists of strings (single strings if `batch_size` is `cusp.null`), with labels
-- `(texts, labels)`; its fields `class_names` and `file_paths` list classes and files
function texts.text_dataset_from_directory(...)
  local options = images.without_labels(bind(...))
  options.formats = {".txt"}
  directory.check("text_dataset_from_directory", options)
  options.seed = options.seed or images.draw_seed()
  return directory.datasets("text_dataset_from_directory", options.directory, options, "text files",
    function(paths, labels, shuffle)
    local Dataset = require "cusp.data.dataset"
    local dataset = Dataset.from_tensor_slices(labels and {paths, labels} or paths)
    if shuffle then dataset = dataset:shuffle(#paths, options.seed) end
    dataset = dataset:map(function(path, label)
      if label == nil then return read(path, options.max_length) end
      return read(path, options.max_length), label
    end)
    if options.batch_size then dataset = dataset:batch(options.batch_size) end
    return dataset
  end)
end

return texts
