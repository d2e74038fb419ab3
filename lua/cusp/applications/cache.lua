--- Files that Keras keeps in its cache for the networks.
-- @module cusp.applications.cache
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local cache = {}

--- The path of a file in `~/.keras/models`.
-- @tparam string owner who asks, for the message
-- @tparam string advice what else the user may do
-- @tparam table options of `utils.get_file`
-- @treturn string
-- @raise for a file that is missing, with its source and place, or damaged
function cache.find(owner, advice, options)
  options.cache_subdir = "models"
  local ok, result = engine.attempt(require("cusp.utils").get_file, options)
  if ok then return result end
  local problem = tostring(result):gsub("^.-get_file: ", ""):gsub(", or give the path [%w ]+$", "")
  errors.raise("%s: %s%s", owner, problem, advice)
end

return cache
