--- Weights of known networks: trained ones in Keras's cache of files, or any file.
-- @module cusp.applications.weights
local cache = require "cusp.applications.cache"
local errors = require "cusp.base.errors"
local files = require("cusp.engine").files
local null = require "cusp.base.null"

local weights = {}

local host = "https://storage.googleapis.com/tensorflow/keras-applications/"

--- The trained weights of a network that has one file with its classifier and one without.
-- @tparam string stem of the files' names
-- @tparam string folder that they come from
-- @tparam string hash
-- @tparam string hash_without_top
-- @treturn function of the options, see `weights.load`
function weights.files(stem, folder, hash, hash_without_top)
  return function(options)
    if options.include_top then return stem .. ".h5", folder, hash end
    return stem .. "_notop.h5", folder, hash_without_top
  end
end

--- Checks the argument `weights` of a network, and what must go with it.
function weights.check(definition, options)
  local given = options.weights
  if given == null then options.weights, given = nil, nil end
  if given == nil then return end
  if type(given) ~= "string" then
    errors.raise("%s: weights should be \"imagenet\", the path of a file, or cusp.null for random "
      .. "ones, got %s", definition.name, errors.describe(given))
  end
  if given ~= "imagenet" then
    if not files.exists(given) and not files.exists(given .. ".index") then
      errors.raise("%s: weights: there is no file '%s'; give \"imagenet\", the path of a file, or "
        .. "cusp.null for random ones", definition.name, given)
    end
  elseif options.include_top and options.classes ~= 1000 then
    errors.raise("%s: with weights = \"imagenet\" and include_top = true, classes should be 1000, "
      .. "got %d", definition.name, options.classes)
  end
end

--- Loads the weights that a network was asked for. `definition.file(options)` returns the name of
-- the trained ones' file, the folder that it comes from, its MD5 sum, if it is known, and its name
-- there, if it is another.
-- @raise for a file that is missing, with its name and place, or that is of another network
function weights.load(definition, options, model)
  if options.weights == nil then return end
  local path = options.weights
  if path == "imagenet" then
    local name, folder, hash, origin = definition.file(options)
    path = cache.find(definition.name, "; else weights is the path of a file, or cusp.null for "
      .. "random ones", {name, file_hash = hash,
        origin = (folder:find "^https:" and folder or host .. folder) .. (origin or name)})
  end
  model:load_weights(path)
end

return weights
