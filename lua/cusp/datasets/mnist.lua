--- MNIST and other datasets in the same format (Fashion-MNIST, KMNIST): IDX, plain or gzipped.
-- @module cusp.datasets.mnist
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local mnist = {}

local bind = arguments.binder("mnist.load_data", "path: string")

-- File names: as published, and as some mirrors unpack them.
local endings = {"-images-idx3-ubyte", "-images.idx3-ubyte"}

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- The image file of one half ("train" or "t10k") in a directory.
local function find_images(directory, half)
  for _, ending in ipairs(endings) do
    for _, compressed in ipairs{"", ".gz"} do
      local path = directory .. "/" .. half .. ending .. compressed
      if exists(path) then return path end
    end
  end
end

--- The label file of an image file, compressed or not.
local function labels_beside(images_path)
  local directory, name = images_path:match "^(.-)([^/]*)$"
  local labels_name, found = name:gsub("images([-.])idx3", "labels%1idx1")
  if found == 0 then
    errors.raise(
      "mnist.load_data: expected a directory, or a file named like 'train-images-idx3-ubyte', got "
      .. "'%s'", images_path)
  end
  local plain = directory .. labels_name:gsub("%.gz$", "")
  for _, path in ipairs{directory .. labels_name, plain, plain .. ".gz"} do
    if exists(path) then return path end
  end
  errors.raise("mnist.load_data: there is no '%s%s' beside the images in '%s'", directory,
    labels_name, images_path)
end

local function read(path)
  local ok, result = engine.attempt(engine.read_idx, path)
  if not ok then errors.raise("mnist.load_data: %s", tostring(result)) end
  return result
end

local function read_half(images_path)
  local labels_path = labels_beside(images_path)
  local images, labels = read(images_path), read(labels_path)
  if images.ndim ~= 3 or labels.ndim ~= 1 or images.shape[1] ~= labels.shape[1] then
    errors.raise(
      "mnist.load_data: expected images [samples, height, width] and labels [samples], got %s in "
      .. "'%s' and %s in '%s'",
      errors.shape(images.shape), images_path, errors.shape(labels.shape), labels_path)
  end
  return {images, labels}
end

--- Reads the dataset.
-- @tparam string path a directory with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the
-- `t10k-` files, each plain or with `.gz`; or one image file with its label file beside it
-- @treturn table `{images, labels}`: the training half, uint8 tensors of shapes `[60000, 28, 28]`
-- and `[60000]`
-- @treturn ?table the test half, in the same form; nil for a single file, or a directory with only
-- one half
-- @raise if files are missing or malformed, with the file's name
-- @usage
-- local train, test = cusp.datasets.mnist.load_data("data/mnist")
function mnist.load_data(...)
  local path = bind(...)
  local train, test = find_images(path, "train"), find_images(path, "t10k")
  if train and test then return read_half(train), read_half(test) end
  if train or test then return read_half(train or test) end
  if not path:find "images[-.]idx3[^/]*$" then
    errors.raise(
      "mnist.load_data: there is no 'train-images-idx3-ubyte' or 't10k-images-idx3-ubyte' (or "
      .. ".gz) in '%s'", path)
  end
  return read_half(path)
end

return mnist
